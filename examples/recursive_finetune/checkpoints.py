"""The state of a chain after each generation, so that a killed run goes on where it was."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from collapse_guard.atomic import read_json, write_atomically
from collapse_guard.errors import bad_argument
from collapse_guard.examples.recursive_finetune.base_model import load_model
from collapse_guard.examples.recursive_finetune.folders import new_folder
from collapse_guard.examples.recursive_finetune.human_text import Rows
from collapse_guard.examples.recursive_finetune.results import GenerationResult
from collapse_guard.statistics.json_forms import Part


@dataclass(frozen=True)
class ChainState:
    """A chain after some generations.

    Attributes:
        history: Results of every generation so far, the start first.
        model: The model of the last of them.
        written: What each model so far wrote for the next one, with the prompts that it wrote on,
            the oldest first.
        monitors: States of the monitors that watched the last of them, by what they watch, from
            which those of the next one go on.
        others: Models that are trained and write beside it.
    """

    history: Sequence[GenerationResult]
    model: PreTrainedModel
    written: Sequence[Rows]
    monitors: Mapping[str, Any] = field(default_factory=dict)
    others: Sequence[PreTrainedModel] = ()


class Checkpoints:
    """The newest state of each chain of a run, in a folder. A kill leaves the last or the new one.

    Args:
        folder: Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def claim(self, experiment: Mapping[str, Any]) -> None:
        """Note down what experiment the folder is of.

        Raises:
            ArgumentError: It is of another.
        """
        path = self._folder / "experiment.json"
        # Through JSON and back, as what it is compared with.
        ours = json.loads(json.dumps(dict(experiment)))
        if not path.exists():
            write_atomically(path, json.dumps(ours, indent=2) + "\n")
            return
        theirs = json.loads(path.read_text(encoding="utf-8"))
        if ours != theirs:
            changed = sorted(
                name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)
            )
            raise bad_argument(
                "output_dir",
                expected="a new folder, or one of a run with the same settings",
                given=f"{self._folder.parent} of a run with other {', '.join(changed)}",
                hint="name another folder with --output-dir, or delete this one",
            )

    def save(self, chain: str, state: ChainState) -> None:
        """Keep a chain's state in place of its last one."""
        generation = state.history[-1].generation
        with new_folder(self._path(chain, generation)) as folder:
            state.model.save_pretrained(folder / "model")
            for number, model in enumerate(state.others):
                model.save_pretrained(folder / f"other_{number:02d}")
            np.save(folder / "written.npy", np.stack(list(state.written)))
            history = [result.to_dict() for result in state.history]
            (folder / "history.json").write_text(json.dumps(history), encoding="utf-8")
            (folder / "monitors.json").write_text(json.dumps(state.monitors), encoding="utf-8")
        for earlier in self._generations(chain)[:-1]:
            shutil.rmtree(self._path(chain, earlier))

    def load(self, chain: str, device: torch.device, *, until: int) -> ChainState | None:
        """A chain's newest state; None where there is none, or only a later one than asked for."""
        generations = self._generations(chain)
        if not generations or generations[-1] > until:
            return None
        folder = self._path(chain, generations[-1])
        try:
            history = Part(
                f"{folder / 'history.json'}: history", read_json(folder / "history.json")
            )
            # A monitor's state has NaN where there is nothing to tell.
            monitors = read_json(folder / "monitors.json", or_nan=True)
            written = np.load(folder / "written.npy", allow_pickle=False)
            results = [GenerationResult.from_part(each) for each in history.items()]
        except (EOFError, ValueError) as error:
            raise bad_argument(
                "output_dir",
                expected="whole checkpoints",
                given=f"{folder} with {error}",
                hint="delete that folder: the chain begins anew",
            ) from error
        return ChainState(
            results,
            load_model(folder / "model", device),
            list(written),
            monitors,
            [load_model(path, device) for path in sorted(folder.glob("other_*"))],
        )

    def _path(self, chain: str, generation: int) -> Path:
        return self._folder / chain / f"{generation:04d}"

    def _generations(self, chain: str) -> list[int]:
        return sorted(int(path.name) for path in (self._folder / chain).glob("[0-9]*"))
