"""What was found in a folder, as lines that can be copied from a terminal."""

from collections.abc import Iterator

from collapse_guard.integrations.command_line.init import LOOKED_FOR, Looked
from collapse_guard.integrations.command_line.training_code.edits import Found


def init_lines(looked: Looked, folder: str) -> Iterator[str]:
    """A line each.

    Lines to put in stand as they are to stand in the file, with nothing before them.
    """
    for each in looked.found:
        yield from _lines(each)
    for told in looked.already:
        yield f"already there: {told}"
    for told in looked.skipped:
        yield f"not read: {told}"
    if not looked.found and not looked.already:
        yield f"nothing found in {looked.files} files of {folder}: looked for {LOOKED_FOR}"


def _lines(found: Found) -> Iterator[str]:
    yield f"{found.place}  {found.what}"
    for edit in found.edits:
        yield f"# {edit.where}:"
        yield from edit.lines
    for note in found.notes:
        yield f"# {note}"
    yield ""
