import os
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: what others have done to the streams and the environment of this one
# says whether rich finds a terminal, once in some dozens of runs of all tests.
_READS = """
import sys
from collapse_guard.integrations.command_line.progress import reading
from collapse_guard.integrations.command_line.texts import open_texts
with reading(open_texts("HUMAN", sys.argv[1])) as texts:
    read = list(texts)
print(read)
"""

_ABOUT_TERMINALS = ("FORCE_COLOR", "NO_COLOR", "TERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_texts_are_all_there_and_a_pipe_sees_no_bar(tmp_path: Path, is_terminal: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\nb\n")
    environment = {key: os.environ[key] for key in os.environ if key not in _ABOUT_TERMINALS}
    if is_terminal:
        environment |= {"FORCE_COLOR": "1", "TERM": "xterm", "TTY_COMPATIBLE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _READS, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['a', 'b']\n"
    assert ("reading" in done.stderr) == is_terminal
