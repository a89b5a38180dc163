"""Which expressions are trainers, and whose, as far as imports and classes of a folder say it."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from collapse_guard.integrations.command_line.training_code.bindings import (
    Binding,
    Function,
    Names,
    dotted,
)
from collapse_guard.integrations.command_line.training_code.sources import parsed

Framework = Literal["huggingface", "lightning", "pytorch_lightning"]

_OURS: Mapping[str, Framework] = {
    "transformers": "huggingface",
    "trl": "huggingface",
    "unsloth": "huggingface",
    "lightning": "lightning",
    "pytorch_lightning": "pytorch_lightning",
}


@dataclass(frozen=True)
class Kind:
    """A trainer's class.

    Attributes:
        framework: Whose it is, or is derived from.
        name: Of the class.
        is_plain: Whether it is the framework's own, whose arguments are known.
    """

    framework: Framework
    name: str
    is_plain: bool


class Kinds:
    """What the classes and functions of a folder's files make.

    Args:
        files: The names of each file.
    """

    def __init__(self, files: Sequence[Names]) -> None:
        self._classes: dict[str, Kind] = {}
        self._made: dict[str, Kind] = {}
        self.frameworks = {
            _OURS[root]
            for names in files
            for home in (*names.imports.values(), *names.star_imports)
            if (root := home.partition(".")[0]) in _OURS
        }
        # A class may be derived from one that is read later, and a function may call another one.
        for _ in range(3):
            for names in files:
                self._learn(names)

    def of(self, names: Names, node: ast.expr | None) -> Kind | None:
        """The kind of what an expression gives; None where it is none, or nobody knows."""
        if isinstance(node, ast.Name | ast.Attribute):
            bound = names.of_name(dotted(node), node)
            found = [self._of_binding(names, each) for each in bound]
            return next((kind for kind in found if kind is not None), None)
        return self._made_by(names, node)

    def _of_binding(self, names: Names, binding: Binding) -> Kind | None:
        if binding.statement is None:
            # Of an argument all that is known is what it is said to be.
            return None if binding.value is None else self.of_class(names, binding.value)
        return self._made_by(names, binding.value)

    def _made_by(self, names: Names, node: ast.expr | None) -> Kind | None:
        """Of what is called; names are not followed, since they may lead round in a circle."""
        if isinstance(node, ast.Await | ast.NamedExpr):
            return self._made_by(names, node.value)
        if isinstance(node, ast.IfExp):
            return self._made_by(names, node.body) or self._made_by(names, node.orelse)
        if isinstance(node, ast.Call):
            last = names.full_name(node.func).rpartition(".")[2]
            return self.of_class(names, node.func) or self._made.get(last)
        return None

    def of_class(self, names: Names, node: ast.expr) -> Kind | None:
        """The kind of what a class makes, by how it is called."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                return self.of_class(names, parsed(node.value, mode="eval").body)
            except SyntaxError:
                return None
        if isinstance(node, ast.Subscript):
            return self.of_class(names, node.value)
        full = names.full_name(node)
        root, last = full.partition(".")[0], full.rpartition(".")[2]
        if root in _OURS and "." in full:
            return _framework_s(root, last)
        if found := self._classes.get(last):
            return found
        for home in names.star_imports:
            if (root := home.partition(".")[0]) in _OURS and full == last:
                return _framework_s(root, last)
        return None

    def _learn(self, names: Names) -> None:
        for node in ast.walk(names.tree):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    if kind := self.of_class(names, base):
                        self._classes[node.name] = Kind(kind.framework, node.name, False)
            elif isinstance(node, ast.Return) and node.value is not None:
                scope = names.scope_of(node)
                if isinstance(scope, Function) and (kind := self.of(names, node.value)):
                    self._made[scope.name] = kind


def _framework_s(root: str, name: str) -> Kind | None:
    framework = _OURS[root]
    # What a reward model learns is no text.
    is_theirs = name.endswith("Trainer") and not name.startswith(("PRM", "Reward"))
    fits = is_theirs if framework == "huggingface" else name == "Trainer"
    return Kind(framework, name, True) if fits else None
