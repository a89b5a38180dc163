"""Loops that train a model by themselves, and the lines that have them watched."""

import ast
from collections.abc import Iterator, Sequence

from collapse_guard.integrations.command_line.training_code.bindings import Loop, Names, dotted
from collapse_guard.integrations.command_line.training_code.edits import (
    Edit,
    Found,
    after,
    before,
    together,
)
from collapse_guard.integrations.command_line.training_code.held_out import (
    HELD_OUT,
    IMPORT,
    named_tokenizer,
)
from collapse_guard.integrations.command_line.training_code.places import (
    begins_its_line,
    indentation,
    indented,
    place_before,
)
from collapse_guard.integrations.command_line.training_code.sources import Source

_NO_OPTIMIZER = ("sched", "prof", "env", "warmup", "session", "run", "watched", "progress")
"""Parts of names of what has a `step` too."""


def found_loops(source: Source, names: Names) -> list[Found]:
    """Every innermost loop with a backward pass and a step of an optimizer."""
    found = []
    for loop in _loops(names):
        steps = _steps(names, loop)
        if steps and not any(_steps(names, each) for each in _loops_inside(loop)):
            found.append(_found(source, names, loop, steps[-1]))
    return found


def _loops(names: Names) -> Iterator[ast.For | ast.While]:
    for node in ast.walk(names.tree):
        if isinstance(node, ast.For | ast.While):
            yield node


def _calls(names: Names, loop: ast.stmt, name: str) -> Iterator[ast.Call]:
    """Calls of a method inside a loop, without those of functions that are defined there."""
    scope = names.scope_of(loop)
    for node in ast.walk(loop):
        if not isinstance(node, ast.Call) or names.scope_of(node) is not scope:
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr == name:
            yield node


def _is_optimizer_s(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Attribute)  # noqa: S101 - calls of methods only
    receiver = dotted(call.func.value).rpartition(".")[2].lower()
    return not any(part in receiver for part in _NO_OPTIMIZER)


def _steps(names: Names, loop: ast.stmt) -> list[ast.Call]:
    """Steps of an optimizer, of a loop that has a backward pass too."""
    if next(_calls(names, loop, "backward"), None) is None:
        return []
    return [call for call in _calls(names, loop, "step") if _is_optimizer_s(call)]


def _loops_inside(loop: ast.stmt) -> Iterator[ast.stmt]:
    for node in ast.walk(loop):
        if node is not loop and isinstance(node, Loop):
            yield node


def _found(source: Source, names: Names, loop: ast.stmt, step: ast.Call) -> Found:
    lines = source.lines()
    model = _model(names, loop)
    tokenizer, note = named_tokenizer(names, loop)
    held_out, told = HELD_OUT
    begin = f"run = watch({model}, tokenizer={tokenizer}, held_out={held_out})"
    notes = [told] if note is None else [told, note]
    statement = names.statement_of(step)
    start = _before_all_loops(names, lines, loop, model)
    edits: tuple[Edit, ...] = ()
    if start is not None and (each := _each_step(names, lines, statement, _syncs(names, loop))):
        put_in = (IMPORT, begin, "watched_steps = 0")
        by = indentation(lines, start.lineno)
        end = after(start.end_lineno or start.lineno, indented(("run.end()",), by))
        edits = together([before(start.lineno, indented(put_in, by)), each, end])
    else:
        notes.insert(
            0, f"before it: {begin}; after each step: run.step(number); at its end: run.end()"
        )
    return Found(
        source.file,
        step.lineno,
        f"a loop trains `{model}` here, from line {loop.lineno} on",
        edits,
        tuple(notes),
    )


def _each_step(
    names: Names, lines: Sequence[str], statement: ast.stmt, syncs: str | None
) -> Edit | None:
    """Count an optimizer's step and look, right after it."""
    by = indentation(lines, statement.lineno)
    inner = "\t" if by.endswith("\t") else "    "
    calls: tuple[str, ...] = ("watched_steps += 1", "run.step(watched_steps)")
    if syncs is not None:
        calls = (f"if {syncs}.sync_gradients:", *indented(calls, inner))
    if _stands_alone(names, lines, statement):
        return after(statement.end_lineno or statement.lineno, indented(calls, by))
    # "if ready: optimizer.step()", in one line.
    above = names.parents[statement]
    if not isinstance(above, ast.If) or above.lineno != above.end_lineno:
        return None
    if above.orelse or not begins_its_line(lines, above):
        return None
    line = lines[statement.lineno - 1].encode()
    first = above.body[0].col_offset
    body = (line[first:].decode(), *calls)
    rewritten = (line[:first].decode().rstrip(), *indented(body, by + inner))
    return Edit(above.lineno, above.lineno, rewritten)


def _stands_alone(names: Names, lines: Sequence[str], statement: ast.stmt) -> bool:
    """Whether a line after it is in the block that it is in."""
    if begins_its_line(lines, statement):
        return True
    # Behind a semicolon that line is in the block of the statement that begins the line.
    above = names.parents[statement]
    body = getattr(above, "body", [])
    return any(
        each.lineno == statement.lineno and begins_its_line(lines, each)
        for each in body
        if isinstance(each, ast.stmt) and statement in body
    )


def _before_all_loops(
    names: Names, lines: Sequence[str], loop: ast.stmt, model: str
) -> ast.stmt | None:
    """The outermost loop around it in which the model is not made anew."""
    made = [b for b in names.of_name(model, loop) if b.statement is not None]
    around = [each for each in names.statements_around(loop) if isinstance(each, Loop)]
    inside: list[ast.stmt] = []
    for each in around:
        if any(binding.statement in list(ast.walk(each)) for binding in made):
            break
        inside.append(each)
    if not inside:
        return None
    earlier = [b for b in made if b.statement and b.statement.lineno < inside[-1].lineno]
    binding = earlier[-1] if earlier else None
    place = place_before(names, lines, [inside[-1]], binding)
    return place if place is inside[-1] else None


def _syncs(names: Names, loop: ast.stmt) -> str | None:
    """What accumulates gradients, and knows which steps of the optimizer are steps."""
    for call in _calls(names, loop, "accumulate"):
        assert isinstance(call.func, ast.Attribute)  # noqa: S101 - calls of methods only
        if receiver := dotted(call.func.value):
            return receiver
    return None


def _model(names: Names, loop: ast.stmt) -> str:
    """The model's name: what is clipped, what an optimizer is made of, what is set to train."""
    for where, has_to_be_bound in (
        (loop, False),
        (names.scope_of(loop), False),
        (names.tree, True),
    ):
        for attribute in ("parameters", "named_parameters", "train"):
            for node in ast.walk(where):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                name = dotted(node.func.value)
                if node.func.attr != attribute or not name:
                    continue
                if not has_to_be_bound or names.of_name(name, loop):
                    return name
    return "model"
