"""A run that is watched is the run that it would have been: on the GPU, to the bit."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from collapse_guard import CollapseMonitor, HeldOutPanel, HumanReference
from tests.callbacks.watched_runs import (
    Loop,
    Saboteur,
    Setting,
    in_hf,
    in_loop,
    in_session,
    traced,
)
from tests.callbacks.witness import differences
from tests.gpu_check.checks import Findings, Place
from tests.scales import Scale, llama_of, panel_of, parameters_of, reference_of, text_of

PRECISIONS = ("float32", "bfloat16 autocast", "bfloat16 weights")
NOTHING = "nothing"

Row = dict[str, Any]
Trace = dict[str, Any]

LOOPS: Mapping[str, Loop] = {"loop": in_loop, "session": in_session, "Trainer": in_hf}


@dataclass(frozen=True)
class SmallLlama:
    """A small Llama with dropout, as `tests.callbacks.watched_runs.World` has it: 30 steps.

    Attributes:
        scale: Of the model.
        precision_name: One of `PRECISIONS`.
        batch: Rows of a pass.
        rows: Of an epoch.
        learning_rate: Of the training.
        frozen: Name of a weight that is not trained.
        every: Steps between two looks at the whole panel.
    """

    scale: Scale
    precision_name: str
    batch: int
    rows: int
    learning_rate: float = 1e-3
    frozen: str = "norm.weight"
    every: int = 3
    arguments: dict[str, Any] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        autocast = self.precision_name == "bfloat16 autocast"
        arguments = {"use_cpu": self.device == "cpu", "bf16": autocast}
        object.__setattr__(self, "arguments", arguments)

    @property
    def device(self) -> str:
        return self.scale.device

    def model(self) -> torch.nn.Module:
        torch.manual_seed(0)
        model = llama_of(self.scale)
        return model.bfloat16() if self.precision_name == "bfloat16 weights" else model

    def documents(self, seed: int, count: int) -> list[torch.Tensor]:
        text = text_of(np.random.default_rng(seed), self.scale, count)
        return [torch.from_numpy(ids) for ids in text]

    def reference(self) -> HumanReference:
        return reference_of(self.scale)

    def panel(self) -> HeldOutPanel:
        return panel_of(self.scale, documents=8)

    def precision(self) -> AbstractContextManager[object]:
        if self.precision_name != "bfloat16 autocast":
            return nullcontext()
        return torch.autocast(self.device, torch.bfloat16)


class DrawsOnTheDevice(Saboteur):
    """Draws one number where dropout draws its own."""

    def do(self, model: torch.nn.Module) -> None:
        torch.rand(1, device=next(model.parameters()).device)


def watched_runs(place: Place) -> Findings:
    """Every loop in every precision: twice unwatched, and watched."""
    rows: list[Row] = []
    with deterministic():
        for precision in PRECISIONS[:1] if place.small else PRECISIONS:
            world = _world(place, precision)
            for name in LOOPS:
                # In a session the budget says when to look, in the others each third step.
                rows.append(_row(place, name, Setting(budget=name == "session", world=world)))
                place.note({"runs": rows})
        world = _world(place, "bfloat16 autocast")
        rows.append(_row(place, "session", Setting(mixed=True, world=world)))
        changed = _changed_by_drawing(place, Setting(world=_world(place, "float32")))
    # Looks take other ways then, some of which torch holds for less than deterministic.
    rows.append(_row(place, "session", Setting(world=_world(place, "float32"))))
    return Findings(
        {
            "runs": rows,
            "model": f"Llama of {parameters_of(world.model()) / 1e6:.1f} M parameters, attention "
            f"dropout {world.scale.dropout}, {Setting(world=world).steps} steps of {world.batch} "
            f"rows of {world.scale.window} tokens",
            "a look that draws on the device changes": ", ".join(changed),
        },
        {
            **_conditions(rows),
            # Dropout draws from that state.
            "a look that draws on the device is found out": {"random states", "weights"}
            <= set(changed),
        },
    )


def compiled_runs(place: Place) -> Findings:
    """The same under `torch.compile`, where that works without anybody who watches."""
    compiler = "aot_eager" if place.small else "inductor"
    world = _world(place, "bfloat16 autocast")
    setting = Setting(evaluated=False, compiler=compiler, world=world)
    rows: list[Row] = []
    with deterministic():
        for name in ("session", "Trainer"):
            try:
                unwatched = _trace(place, name, setting, None)
            except Exception as error:
                reason = f"{name}: torch.compile does not work here unwatched: {error}"
                return Findings({"runs": rows}, _conditions(rows), skipped=reason)
            rows.append(_row(place, name, setting, unwatched))
            place.note({"runs": rows})
    return Findings({"runs": rows, "compiler": compiler}, _conditions(rows))


@contextmanager
def deterministic() -> Iterator[None]:
    """Without this two runs on a GPU differ by themselves."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def _world(place: Place, precision: str) -> SmallLlama:
    if place.small:
        scale = Scale(64, 32, 1, 2, rows=2, window=16, device=place.device, dropout=0.1)
        return SmallLlama(scale, precision, batch=2, rows=14)
    scale = Scale(1_024, 256, 2, 4, rows=8, window=128, device=place.device, dropout=0.1)
    return SmallLlama(scale, precision, batch=8, rows=120)


def _row(place: Place, name: str, setting: Setting, unwatched: Trace | None = None) -> Row:
    unwatched = unwatched or _trace(place, name, setting, None)
    again = _trace(place, name, setting, None)
    looks: list[object] = []
    watched = _trace(place, name, setting, CollapseMonitor, looks)
    return {
        "loop": name + (", mixed rows, read along" if setting.mixed else ""),
        "precision": setting.world.precision_name,
        "algorithms": "deterministic"
        if torch.are_deterministic_algorithms_enabled()
        else "as they are",
        "looks": len(looks),
        "an unwatched run differs in": ", ".join(differences(again, unwatched)) or NOTHING,
        "the watched run differs in": ", ".join(differences(watched, unwatched)) or NOTHING,
    }


def _trace(
    place: Place,
    name: str,
    setting: Setting,
    kind: type[CollapseMonitor] | None,
    looks: list[object] | None = None,
) -> Trace:
    if setting.compiler is not None:
        # What was compiled for another model's run is not to be taken for this one.
        torch._dynamo.reset()
    with TemporaryDirectory(dir=place.folder) as folder:
        trace, monitor = traced(LOOPS[name], setting, Path(folder), kind)
    if monitor is not None and looks is not None:
        looks += monitor.history
    return trace


def _changed_by_drawing(place: Place, setting: Setting) -> list[str]:
    kinds = (DrawsOnTheDevice, None)
    return differences(*(_trace(place, "session", setting, kind) for kind in kinds))


def _conditions(rows: Sequence[Row]) -> dict[str, bool]:
    # What differs by itself tells nothing of who watches it, and need not be the same unasked.
    repeated = [row for row in rows if row["an unwatched run differs in"] == NOTHING]
    return {
        "with deterministic algorithms a run is the same when it is repeated": all(
            row in repeated for row in rows if row["algorithms"] == "deterministic"
        ),
        "and what is so is the same when it is watched": all(
            row["the watched run differs in"] == NOTHING for row in repeated
        ),
        "the whole panel was looked at three times and more": all(row["looks"] > 2 for row in rows),
    }
