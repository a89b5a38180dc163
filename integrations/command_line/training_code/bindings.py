"""Which names stand for what in a file, as far as that can be read off."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While

_GIVERS = (
    Function
    | ast.Lambda
    | ast.Assign
    | ast.AnnAssign
    | ast.NamedExpr
    | ast.For
    | ast.AsyncFor
    | ast.With
    | ast.AsyncWith
)


@dataclass(frozen=True)
class Binding:
    """A name that is given a value.

    Attributes:
        scope: The function, or the module, that it is in.
        name: A dotted name.
        value: What it is given; None where nothing says it.
        statement: The statement that does so; None for a function's argument.
    """

    scope: Scope
    name: str
    value: ast.expr | None
    statement: ast.stmt | None


class Names:
    """The parents, scopes, imports and bindings of a file."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.parents = {child: node for node in ast.walk(tree) for child in _children(node)}
        self.imports = dict(_imports(tree))
        self.star_imports = {
            node.module or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names)
        }
        givers = [node for node in ast.walk(tree) if isinstance(node, _GIVERS)]
        givers.sort(key=lambda node: (node.lineno, node.col_offset))
        self.bindings = [found for node in givers for found in self._bound(node)]
        self._by_name: dict[str, list[Binding]] = {}
        for binding in self.bindings:
            self._by_name.setdefault(binding.name, []).append(binding)

    def full_name(self, node: ast.expr) -> str:
        """A dotted name, from where it was imported; empty where it is no name."""
        name = dotted(node)
        first, _, rest = name.partition(".")
        home = self.imports.get(first, first)
        return f"{home}.{rest}" if rest else home

    def scope_of(self, node: ast.AST) -> Scope:
        """The function, or the module, that something stands in."""
        while (above := self.parents.get(node)) is not None:
            node = above
            if isinstance(node, Scope):
                return node
        return self.tree

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that something is part of."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def statements_around(self, node: ast.AST) -> Iterator[ast.stmt]:
        """From the innermost outwards, as far as the function goes."""
        inner: ast.AST | None = node
        while inner is not None and not isinstance(inner, Scope):
            if isinstance(inner, ast.stmt):
                yield inner
            inner = self.parents.get(inner)

    def of_name(self, name: str, at: ast.AST) -> list[Binding]:
        """Where a name gets its value that is used at a place, in order; of the nearest scope."""
        if "." in name:
            return list(self._by_name.get(name, []))
        scope: Scope | None = self.scope_of(at)
        while scope is not None:
            if found := [b for b in self._by_name.get(name, []) if b.scope is scope]:
                return found
            scope = None if scope is self.tree else self.scope_of(scope)
        return []

    def _bound(self, node: ast.AST) -> Iterator[Binding]:
        if isinstance(node, Function | ast.Lambda):
            arguments = node.args
            given = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            for argument in given:
                yield Binding(node, argument.arg, argument.annotation, None)
        pairs: list[tuple[ast.expr, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.For | ast.AsyncFor):
            pairs = [(node.target, None)]
        elif isinstance(node, ast.With | ast.AsyncWith):
            pairs = [
                (each.optional_vars, each.context_expr)
                for each in node.items
                if each.optional_vars is not None
            ]
        for target, value in pairs:
            statement, scope = self.statement_of(node), self.scope_of(node)
            for each, part in _unpacked(target, value):
                if name := dotted(each):
                    yield Binding(scope, name, part, statement)


def dotted(node: ast.AST) -> str:
    """A name with dots, such as "self.trainer"; empty for everything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        front = dotted(node.value)
        return f"{front}.{node.attr}" if front else ""
    return ""


def _children(node: ast.AST) -> Iterator[ast.AST]:
    return ast.iter_child_nodes(node)


def _unpacked(
    target: ast.expr, value: ast.expr | None
) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if not isinstance(target, ast.Tuple | ast.List):
        yield target, value
        return
    values: list[ast.expr | None] = [None] * len(target.elts)
    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(values):
        values = list(value.elts)
    for each, part in zip(target.elts, values, strict=True):
        yield from _unpacked(each, part)


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """For each imported name what it stands for; a relative one begins with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                whole, first = each.name, each.name.partition(".")[0]
                yield (each.asname, whole) if each.asname else (first, first)
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            for each in node.names:
                yield each.asname or each.name, f"{home}.{each.name}"
