"""The recursive example, which goes on with what is in its folder."""

import json
import sys
from pathlib import Path
from unittest import mock

from collapse_guard.atomic import write_atomically
from collapse_guard.examples.recursive_finetune.__main__ import main
from tests.kills.outcome import OUTCOME
from tests.tiny import zipf_documents


def run(folder: Path) -> None:
    """Two generations of two regimes, in the smallest form there is."""
    text = folder / "text.txt"
    if not text.exists():
        pages = [" ".join(f"w{token}" for token in ids) for ids in zipf_documents(300)]
        write_atomically(text, "\n\n".join(pages))
    output = folder / "run"
    regimes = ["replace", "guarded"]
    command = ["run", "--preset", "smoke", "--dataset", str(text), "--output-dir", str(output)]
    with mock.patch.object(sys, "argv", [*command, "--regimes", *regimes]):
        main()
    told = json.loads((output / "results.json").read_text(encoding="utf-8"))
    # It names the folder.
    del told["configuration"]
    write_atomically(folder / OUTCOME, json.dumps(told, sort_keys=True))
