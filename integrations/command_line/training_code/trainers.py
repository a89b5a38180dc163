"""Trainers of frameworks in a file, and the lines that have them watched."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collapse_guard.integrations.command_line.training_code.bindings import Binding, Names, dotted
from collapse_guard.integrations.command_line.training_code.edits import Edit, Found, before
from collapse_guard.integrations.command_line.training_code.held_out import (
    HELD_OUT,
    IMPORT,
    evaluation_set,
    tokenizer_name,
)
from collapse_guard.integrations.command_line.training_code.kinds import Kind, Kinds
from collapse_guard.integrations.command_line.training_code.places import (
    begins_its_line,
    ends_its_line,
    indentation,
    indented,
    place_before,
)
from collapse_guard.integrations.command_line.training_code.sources import Source

_CALLED = {"huggingface": "train", "lightning": "fit", "pytorch_lightning": "fit"}
_BY_NAME = " (by its name: nothing here says what it is)"
_OTHER_PACKAGE = (
    "a Trainer of pytorch_lightning is refused: import Trainer and LightningModule from "
    "lightning.pytorch, which are the same under another name"
)


@dataclass(frozen=True)
class _Use:
    """A place where a trainer is told to train."""

    attribute: ast.Attribute
    kind: Kind
    is_by_name: bool
    binding: Binding | None


def found_trainers(source: Source, names: Names, kinds: Kinds) -> list[Found]:
    """Every trainer of a file that is told to train there."""
    groups: dict[tuple[object, ...], list[_Use]] = {}
    for use in _uses(names, kinds):
        receiver = dotted(use.attribute.value)
        made = None if use.binding is None else id(use.binding)
        key = (id(names.scope_of(use.attribute)), receiver, made) if receiver else (id(use),)
        groups.setdefault(key, []).append(use)
    return [_found(source, names, uses) for uses in groups.values()]


def _uses(names: Names, kinds: Kinds) -> Iterator[_Use]:
    attributes = [node for node in ast.walk(names.tree) if isinstance(node, ast.Attribute)]
    for node in sorted(attributes, key=lambda each: (each.lineno, each.col_offset)):
        if node.attr not in _CALLED.values() or not isinstance(node.ctx, ast.Load):
            continue
        kind = kinds.of(names, node.value)
        bound = names.of_name(dotted(node.value), node)
        earlier = [b for b in bound if b.statement is None or b.statement.lineno <= node.lineno]
        binding = earlier[-1] if earlier else None
        if kind is not None and _CALLED[kind.framework] == node.attr:
            yield _Use(node, kind, False, binding)
        elif kind is None and (guessed := _guessed(names, kinds, node, bound)):
            yield _Use(node, guessed, True, binding)


def _guessed(
    names: Names, kinds: Kinds, node: ast.Attribute, bound: Sequence[Binding]
) -> Kind | None:
    """What something called a trainer is, where nothing but its name says it."""
    name = dotted(node.value).rpartition(".")[2]
    call = names.parents.get(node)
    if not name.lower().endswith("trainer") or not isinstance(call, ast.Call) or call.func != node:
        return None
    if any(_is_of_another(names, each.value) for each in bound):
        return None
    for framework in sorted(kinds.frameworks):
        if _CALLED[framework] == node.attr:
            return Kind(framework, "trainer", False)
    return None


def _is_of_another(names: Names, value: ast.expr | None) -> bool:
    """Whether it is known to be made by a class that is none of ours."""
    if not isinstance(value, ast.Call):
        return False
    return names.full_name(value.func).rpartition(".")[2].endswith("Trainer")


def _found(source: Source, names: Names, uses: Sequence[_Use]) -> Found:
    first = uses[0]
    receiver = dotted(first.attribute.value)
    told = f"{first.kind.name} `{receiver}`" if receiver else first.kind.name
    if first.is_by_name:
        told = f"`{receiver}`"
    what = f"{told} trains here{_BY_NAME if first.is_by_name else ''}"
    line = first.attribute.end_lineno or first.attribute.lineno
    module = _module(names, first)
    if receiver and (module is None or dotted(module)):
        edit, notes = _before_it_trains(names, source.lines(), receiver, uses)
    else:
        edit, notes = _with_names(source, names, first, receiver)
    if first.kind.framework == "pytorch_lightning":
        notes = (*notes, _OTHER_PACKAGE)
    return Found(source.file, line, what, () if edit is None else (edit,), notes)


def _before_it_trains(
    names: Names, lines: Sequence[str], receiver: str, uses: Sequence[_Use]
) -> tuple[Edit | None, tuple[str, ...]]:
    first = uses[0]
    made = names.of_name(receiver, first.attribute)
    module = _module(names, first)
    called, notes = _call(names, first, receiver, made, module)
    place = place_before(names, lines, [use.attribute for use in uses], first.binding)
    if place is None:
        return None, (f"right before it trains, once: {IMPORT}; {called}", *notes)
    put_in = indented((IMPORT, called), indentation(lines, place.lineno))
    return before(place.lineno, put_in), notes


def _with_names(
    source: Source, names: Names, use: _Use, trainer: str
) -> tuple[Edit | None, tuple[str, ...]]:
    """What is made in the statement that trains gets names, to be told of before.

    Args:
        source: The file.
        names: Of the file.
        use: Where it trains.
        trainer: The trainer's name; empty where it has none.
    """
    parts: list[tuple[ast.expr, str]] = []
    made = names.of_name(trainer, use.attribute) if trainer else []
    if not trainer:
        taken = {binding.name for binding in names.bindings}
        trainer = "trainer" if "trainer" not in taken else "watched_trainer"
        made = [Binding(names.scope_of(use.attribute), trainer, use.attribute.value, None)]
        parts.append((use.attribute.value, trainer))
    module = _module(names, use)
    if module is not None and not dotted(module):
        parts.append((module, "module"))
        module = ast.Name("module")
    called, notes = _call(names, use, trainer, made, module)
    edit = _replaced(source.lines(), names.statement_of(use.attribute), parts, called)
    if edit is None:
        notes = (f"make it before, under a name, and then: {IMPORT}; {called}", *notes)
    return edit, notes


def _replaced(
    lines: Sequence[str],
    statement: ast.stmt,
    parts: Sequence[tuple[ast.expr, str]],
    called: str,
) -> Edit | None:
    """A simple statement with names in place of parts, which are given these names before it."""
    is_simple = isinstance(statement, ast.Expr | ast.Assign | ast.Return)
    if not (is_simple and begins_its_line(lines, statement) and ends_its_line(lines, statement)):
        return None
    last = statement.end_lineno or statement.lineno
    text = "\n".join(lines).encode()
    start = _offset(lines, statement.lineno, statement.col_offset)
    rest = text[start : _offset(lines, last, len(lines[last - 1].encode()))]
    by = indentation(lines, statement.lineno)
    made = []
    for part, name in reversed(parts):
        begin = _offset(lines, part.lineno, part.col_offset)
        end = _offset(lines, part.end_lineno or part.lineno, part.end_col_offset or 0)
        made.append(f"{by}{name} = {text[begin:end].decode()}")
        rest = rest[: begin - start] + name.encode() + rest[end - start :]
    put_in = (*reversed(made), *indented((IMPORT, called), by), f"{by}{rest.decode()}")
    return Edit(statement.lineno, last, tuple("\n".join(put_in).split("\n")))


def _offset(lines: Sequence[str], line: int, column: int) -> int:
    """The place in the text's bytes of what Python counts in lines, and in bytes of each."""
    return sum(len(each.encode()) + 1 for each in lines[: line - 1]) + column


def _module(names: Names, use: _Use) -> ast.expr | None:
    """What a Lightning trainer fits; None for other trainers."""
    if use.kind.framework == "huggingface":
        return None
    call = names.parents.get(use.attribute)
    if isinstance(call, ast.Call) and call.func is use.attribute:
        given = [each.value for each in call.keywords if each.arg == "model"]
        return (call.args or given or [ast.Name("model")])[0]
    return ast.Name("model")


def _call(
    names: Names,
    use: _Use,
    trainer: str,
    made: Sequence[Binding],
    module: ast.expr | None,
) -> tuple[str, tuple[str, ...]]:
    """The call of `watch`, and what is to be known of what it is given."""
    given = [trainer]
    notes: list[str] = []
    if module is not None:
        given.append(f"model={dotted(module)}")
    tokenizer, note = tokenizer_name(names, use.attribute, use.kind, made)
    if tokenizer:
        given.append(f"tokenizer={tokenizer}")
    held_out, told = evaluation_set(names, use.kind, trainer, made) or HELD_OUT
    given.append(f"held_out={held_out}")
    notes.extend(each for each in (told, note) if each)
    return f"watch({', '.join(given)})", tuple(notes)
