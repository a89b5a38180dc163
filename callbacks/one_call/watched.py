"""What `watch` returns: everything that it has set up, and for loops the calls to make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch

from collapse_guard.arguments import understood
from collapse_guard.callbacks.arguments import check_step
from collapse_guard.callbacks.run_recorder import RunRecorder
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.callbacks.summary import summary_of
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.monitor.monitor import CollapseMonitor

if TYPE_CHECKING:
    from collapse_guard.integrations.matching.match_sampler import SamplerMatch


@dataclass(frozen=True)
class Watched:
    """A run that is watched. `print` it for what was told when it was set up.

    Attributes:
        session: Looks, logs, tells and acts.
        callback: What the trainer calls; None in a loop of your own.
        told: What was told, a line each.
        match: What the sampler-matched loss is taken off with again, also where it was put on by
            hand before; None where there is none.
        recorder: Writes down what is seen, into the file at its `path`; None where nothing does.
    """

    session: WatchSession
    callback: Any
    told: tuple[str, ...]
    match: "SamplerMatch | None"
    recorder: RunRecorder | None

    def __str__(self) -> str:
        return "\n".join(self.told)

    @property
    def monitor(self) -> CollapseMonitor:
        """What is asked: its `alerts`, `history`, `rules` and so on."""
        return self.session.monitor

    @property
    def panel(self) -> HeldOutPanel:
        """The held-out text that the model is looked at on."""
        panel = self.monitor.panel
        assert isinstance(panel, HeldOutPanel)  # noqa: S101 - `watch` makes no other
        return panel

    @property
    def reference(self) -> HumanReference:
        """What says which tokens are rare; `save` it for the next run."""
        return self.panel.reference

    def summary(self) -> tuple[str, ...]:
        """How the run went so far, a line each; told by itself at the end of a run."""
        return summary_of(
            self.monitor,
            is_watched=self.session.values.is_watched,
            match="" if self.match is None else f"{self.match}",
        )


@dataclass(frozen=True)
class WatchedLoop(Watched):
    """A loop of your own that is watched: call `step` after each optimizer step, `end` at the end.

    As a context manager it ends by itself.

    Attributes:
        model: What the loop trains.

    Example:
        ::

            with watch(model, tokenizer=tokenizer, held_out=held_out_texts) as run:
                for step, batch in enumerate(loader, start=1):
                    train_on(batch)
                    if run.step(step):
                        break
    """

    model: torch.nn.Module
    _at: list[int] = field(default_factory=lambda: [0], repr=False)

    def step(self, step: int, *, optimizer: object | None = None) -> bool:
        """Look at what the pace allows after an optimizer step.

        Args:
            step: Optimizer steps so far, the first being 1.
            optimizer: Give a schedule-free one, to have the averaged weights looked at.

        Returns:
            Whether training should stop: an alert has asked for it.
        """
        self._at[0] = check_step(step)
        return self.session.step(self.model, step, optimizer=optimizer)

    def end(self, *, optimizer: object | None = None) -> None:
        """Look a last time, and tell how the run went.

        Args:
            optimizer: As in `step`.
        """
        self.session.end(self.model, self._at[0], optimizer=optimizer)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed loop gives as `state=`, in plain JSON types: save it beside the model."""
        return {"step": self._at[0], "session": self.session.state_dict()}

    def begin(self, state: Mapping[str, Any] | None) -> None:
        """Take the start or, with the state of a run before, go on from there: `watch` calls it.

        Raises:
            ArgumentError: It is no such state.
        """
        if state is not None:
            with understood("state", state, expected="what state_dict() gave", hint="save it"):
                self._at[0], session = check_step(state["step"]), state["session"]
            self.session.load_state_dict(session)
        self.session.start(self.model, self._at[0])

    def __enter__(self) -> "WatchedLoop":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.end()
        else:
            self.session.close()
