"""The lazy packages: what they promise, what type checkers see, and what is really there."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

LAZY = ("collapse_guard", "collapse_guard.callbacks", "collapse_guard.integrations")


def _names_for_type_checkers(package: str) -> dict[str, str]:
    """Names in the `if TYPE_CHECKING:` block, each with the module that it is taken from."""
    file = import_module(package).__file__
    assert file is not None
    blocks = [
        node
        for node in ast.parse(Path(file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name: str(statement.module)
        for block in blocks
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


@pytest.mark.parametrize("package", LAZY)
def test_type_checkers_see_the_names_that_are_exported(package: str) -> None:
    module = import_module(package)
    seen = _names_for_type_checkers(package)
    assert sorted(seen) == module.__all__
    assert seen == {name: f"{package}.{home}" for name, home in module._HOME.items()}


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in LAZY for name in import_module(package).__all__],
)
def test_every_exported_name_is_there(package: str, name: str) -> None:
    module = import_module(package)
    home = import_module(f"{package}.{module._HOME[name]}")
    assert getattr(module, name) is getattr(home, name)
    assert name in dir(module)


@pytest.mark.parametrize("package", LAZY)
def test_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        import_module(package).no_such_name  # noqa: B018
