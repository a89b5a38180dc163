import pytest

from collapse_guard.integrations.command_line.training_code.edits import (
    Edit,
    Found,
    after,
    before,
    together,
)


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (before(4, ("x",)), "before line 4"),
        (after(4, ("x",)), "after line 4"),
        (Edit(4, 4, ("x",)), "instead of line 4"),
        (Edit(4, 6, ("x",)), "instead of lines 4 to 6"),
    ],
)
def test_an_edit_names_lines_that_are_there(edit: Edit, where: str) -> None:
    assert edit.where == where
    assert edit.to_dict() == {
        "where": where,
        "first": edit.first,
        "last": edit.last,
        "lines": ["x"],
        "new_file": None,
    }


def test_a_place_names_the_cell_of_a_notebook() -> None:
    assert Found("a/b.py", 3, "", (), ()).place == "a/b.py:3"
    assert Found("a.ipynb", 3, "", (), (), cell=2).place == "a.ipynb:cell 2:3"
    assert Found("a.ipynb", 3, "w", (), ("n",), cell=2).to_dict() == {
        "file": "a.ipynb",
        "cell": 2,
        "line": 3,
        "what": "w",
        "edits": [],
        "notes": ["n"],
    }


def test_edits_at_one_place_are_one() -> None:
    both = together([before(1, ("a",)), after(4, ("b",)), after(4, ("c",)), after(5, ("d",))])
    assert both == (before(1, ("a",)), after(4, ("b", "c")), after(5, ("d",)))
    instead = together([Edit(4, 5, ("a",)), after(5, ("b",))])
    assert instead == (Edit(4, 5, ("a", "b")),)
