"""Where lines can be put in, so that they run once before what they are for."""

import ast
from collections.abc import Sequence

from collapse_guard.integrations.command_line.training_code.bindings import Binding, Loop, Names


def place_before(
    names: Names, lines: Sequence[str], uses: Sequence[ast.AST], binding: Binding | None
) -> ast.stmt | None:
    """The statement to put lines before that need a name and come before all of its uses.

    It comes after the name has got its value, and is in no loop that this is not in, where the
    lines would run more than once.

    Args:
        names: Of the file.
        lines: Of the file.
        uses: Of the name, in one function, or in the module outside of functions.
        binding: Where it gets its value; None where that is elsewhere.

    Returns:
        The innermost such statement; None where there is none.
    """
    made = None if binding is None else binding.statement
    if made is not None and binding is not None and binding.scope is not names.scope_of(uses[0]):
        made = None
    around_made = [] if made is None else list(names.statements_around(made))
    around = [list(names.statements_around(use)) for use in uses]
    for statement in around[0]:
        outer = [each for each in names.statements_around(statement) if each is not statement]
        if any(isinstance(each, Loop) and each not in around_made for each in outer):
            continue
        if statement in around_made or (made is not None and statement.lineno <= made.lineno):
            continue
        block = _block(names, statement)
        if not all(any(each in block for each in others) for others in around):
            continue
        # What stands before it in the same line, behind a semicolon, comes into the bargain.
        for each in block[: block.index(statement) + 1]:
            is_later = made is None or each.lineno > made.lineno
            if each.lineno == statement.lineno and is_later and begins_its_line(lines, each):
                return each
    return None


def begins_its_line(lines: Sequence[str], statement: ast.stmt) -> bool:
    """Whether lines can be put in before a statement as it is written."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return not statement.decorator_list
    before = lines[statement.lineno - 1].encode()[: statement.col_offset]
    if before.strip():
        return False
    # An `elif` is a statement of its own to Python, but none to put a line before.
    return not (isinstance(statement, ast.If) and _says_elif(lines, statement))


def ends_its_line(lines: Sequence[str], statement: ast.stmt) -> bool:
    """Whether lines can be put in after a statement as it is written."""
    end = statement.end_lineno or statement.lineno
    rest = lines[end - 1].encode()[statement.end_col_offset or 0 :].strip()
    return not rest or rest.startswith(b"#")


def indentation(lines: Sequence[str], line: int) -> str:
    """What a line begins with, before its first sign."""
    text = lines[line - 1]
    return text[: len(text) - len(text.lstrip())]


def indented(lines: Sequence[str], by: str) -> tuple[str, ...]:
    """Lines with something before each."""
    return tuple(f"{by}{line}" for line in lines)


def _says_elif(lines: Sequence[str], statement: ast.If) -> bool:
    return lines[statement.lineno - 1].lstrip().startswith("elif")


def _block(names: Names, statement: ast.stmt) -> list[ast.stmt]:
    """The statements that a statement stands among."""
    above = names.parents[statement]
    for _, value in ast.iter_fields(above):
        if isinstance(value, list) and statement in value:
            return value
    return [statement]
