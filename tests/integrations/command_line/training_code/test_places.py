import ast

import pytest

from collapse_guard.integrations.command_line.training_code.bindings import Names
from collapse_guard.integrations.command_line.training_code.places import (
    begins_its_line,
    ends_its_line,
    indentation,
    indented,
    place_before,
)


def uses_of(names: Names) -> list[ast.AST]:
    calls = [node for node in ast.walk(names.tree) if isinstance(node, ast.Call)]
    return sorted(
        (call for call in calls if ast.unparse(call.func) == "use"), key=lambda call: call.lineno
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\nuse(x)", 2),
        ("x = 1\nif a:\n    use(x)\nelse:\n    use(x)", 2),
        ("x = 1\nif a:\n    use(x)\nuse(x)", 2),
        ("x = 1\nwhile a:\n    for b in c:\n        use(x)", 2),
        ("while a:\n    x = 1\n    for b in c:\n        use(x)", 3),
        ("for x in y:\n    use(x)", 2),
        ("with y as x:\n    use(x)", 2),
        ("with y as x: use(x)", None),
        ("x = 1; use(x)", None),
        ("x = 1\ny = 2; use(x)", 2),
        ("x = 1\ntry:\n    use(x)\nexcept E:\n    use(x)", 2),
        ("x = 1\nif a: use(x)", 2),
        ("x = 1\n@use(x)\ndef f(): ...", None),
    ],
)
def test_lines_run_once_after_what_they_need_and_before_all_uses(
    text: str, line: int | None
) -> None:
    names = Names(ast.parse(text))
    (binding,) = [each for each in names.bindings if each.name == "x"]
    found = place_before(names, text.split("\n"), uses_of(names), binding)
    assert (None if found is None else found.lineno) == line


def test_what_is_made_elsewhere_is_made_before() -> None:
    text = "def f(x):\n    for a in b:\n        use(x)"
    names = Names(ast.parse(text))
    found = place_before(names, text.split("\n"), uses_of(names), None)
    assert found is not None
    assert found.lineno == 2


def test_ends_and_beginnings_are_told_in_any_letters() -> None:
    lines = ["é = 1; y = 2  # é"]
    one, two = ast.parse(lines[0]).body
    assert [begins_its_line(lines, each) for each in (one, two)] == [True, False]
    assert [ends_its_line(lines, each) for each in (one, two)] == [False, True]
    assert indentation(["\t  x"], 1) == "\t  "
    assert indented(["a", "b"], " ") == (" a", " b")
