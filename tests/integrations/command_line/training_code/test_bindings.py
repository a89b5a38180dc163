import ast

import pytest

from collapse_guard.integrations.command_line.training_code.bindings import Names, dotted


def names_of(text: str) -> Names:
    return Names(ast.parse(text))


def last_use(names: Names, name: str) -> ast.expr:
    return [n for n in ast.walk(names.tree) if isinstance(n, ast.Name) and n.id == name][-1]


def test_names_are_known_by_where_they_come_from() -> None:
    names = names_of(
        "import lightning as L, a.b\nfrom c.d import e as f\nfrom . import g\nfrom h import *"
    )
    for written, full in {
        "L.Trainer": "lightning.Trainer",
        "a.b.c": "a.b.c",
        "f.x": "c.d.e.x",
        "g.y": "..g.y",
        "other": "other",
        "f()": "",
    }.items():
        assert names.full_name(ast.parse(written, mode="eval").body) == full
    assert names.star_imports == {"h"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("x = 1\nx", ["1"]),
        ("x = 1\nx = 2\ndef f():\n    return x", ["1", "2"]),
        ("x = 1\ndef f():\n    x = 2\n    return x", ["2"]),
        ("a, (x, *b) = 1, (2, 3)\nx", ["2"]),
        ("a, x = f()\nx", ["None"]),
        ("with f() as x:\n    x", ["f()"]),
        ("for x in y:\n    x", ["None"]),
        ("def f(x: int):\n    return x", ["int"]),
        ("(x := 3)\nx", ["3"]),
        ("x: int = 4\nx", ["4"]),
        ("y = 1\nx", []),
        ("if a:\n    x = 1\nx = 2\nx", ["1", "2"]),
    ],
)
def test_a_name_has_the_values_of_the_nearest_scope(text: str, values: list[str]) -> None:
    names = names_of(text)
    found = names.of_name("x", last_use(names, "x"))
    assert [ast.unparse(b.value) if b.value else "None" for b in found] == values


def test_only_names_have_dots() -> None:
    assert dotted(ast.parse("a.b.c", mode="eval").body) == "a.b.c"
    assert dotted(ast.parse("a[0].c", mode="eval").body) == ""
