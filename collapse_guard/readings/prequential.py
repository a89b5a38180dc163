"""Reading human rows off the training itself, just before the model learns from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import checked, text, whole
from collapse_guard.distributed import is_first_process, summed
from collapse_guard.errors import ScoringError, bad_argument
from collapse_guard.failures import FailureGuard
from collapse_guard.human_text.panel import A_REFERENCE
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.model.forward import logits_of
from collapse_guard.model.logprobs import picked_logprobs
from collapse_guard.random_states import random_states_kept
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.read_along import BANDS, read_along
from collapse_guard.statistics.block_sums import BLOCKS_OF_MEMORY, BlockSums
from collapse_guard.statistics.decayed_ratios import DecayedRatios, decayed_ratios
from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.json_forms import Part, RestoredWhole

if TYPE_CHECKING:
    from collapse_guard.mixing.order.plan import Located

Floats = npt.NDArray[np.float64]

_CHECKED = 64
"""One forward pass in so many is held against the row that the plan shows there."""

_BLOCKS = ("now_blocks", "start_blocks")


@dataclass(frozen=True)
class OfTrainingPasses:
    """A reading that was read off the training.

    Attributes:
        name: Of it.
    """

    name: str

    def __call__(self, evidence: Evidence) -> Estimate:
        """What it reads."""
        return evidence.prequential[self.name]


class Mixed(Protocol):
    """A mixed data set that knows where its rows come from: a `MixGuard`."""

    def __len__(self) -> int:
        """Number of slots."""

    def __getitem__(self, slot: int, /) -> Any:
        """The row in a slot."""

    def locate(self, slots: npt.ArrayLike) -> "Located":
        """Where the rows in some slots come from."""


def _that_is_mixed(name: str, given: Any) -> Any:
    is_one = not isinstance(given, type) and callable(getattr(given, "locate", None))
    if not is_one:
        raise bad_argument(
            name, expected="a MixGuard", given=given, hint="give the mix that is trained on"
        )
    return given


class PrequentialReader(RestoredWhole):
    """Log-probabilities of human rows that the model is about to train on for the first time.

    Such a row is held out until the update that it is part of, so that the training's own forward
    pass tests the model on it, at no pass more ("prequential": Dawid 1984, JRSS A 147(2)). Every
    row is fresh: unlike a panel it cannot be worn out by looking. It is the reading to have beside
    the panel's, and no replacement:

    * the rows differ from look to look, so that nothing is paired: its standard errors are several
      times those of a panel of as many documents;
    * the pass is the training's: dropout is on, the dtype is that of the training;
    * ordinary learning moves it up, as the rows are from the training set's own distribution;
    * only first showings count, so that it ends with the first pass over the human rows; rows
      shown again, and packed rows, are left out.

    Rows are told by the plan, from the number of training passes so far; every 64th pass is held
    against the row that the plan shows there, and on a difference (a loader that deals batches out
    in another way, a collator that rewrites rows) nothing more is read. A failure is reported and
    never reaches the training.

    Args:
        mix: The `MixGuard` that feeds the run.
        reference: Says which tokens are tail and head.
        column: The rows' token ids.
        memory: Rows after which one counts exp(-1) of a new one, at least 1.
        start_rows: The first so many rows of each process are the start that retention is told
            against, at least 2.
        max_rows: Most rows that are read of one forward pass.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.
    """

    @checked(
        mix=_that_is_mixed,
        reference=A_REFERENCE,
        column=text(hint="leave it out for 'input_ids'"),
        memory=whole(least=1, hint="leave it out"),
        start_rows=whole(least=2, hint="leave it out"),
        max_rows=whole(least=1, hint="leave it out"),
    )
    def __init__(
        self,
        mix: Mixed,
        reference: HumanReference,
        *,
        column: str = "input_ids",
        memory: int = 256,
        start_rows: int = 256,
        max_rows: int = 8,
    ) -> None:
        self._mix = mix
        self._column = column
        self._start_rows, self._memory = start_rows, memory
        self._max_rows = max_rows
        types = reference.tail_types, reference.head_types, reference.special_types
        self._types = torch.from_numpy(np.stack(types))
        self._failures = FailureGuard("report")
        self.clear()

    def clear(self) -> None:
        """Forget all rows: a new run starts."""
        self._start_missing = self._start_rows
        self._now = DecayedRatios(len(BANDS), self._memory)
        self._start = DecayedRatios(len(BANDS), float("inf"))
        # Both with one division into blocks, so that what they share is told.
        self._now_blocks, self._start_blocks = (
            BlockSums(
                len(BANDS),
                memory,
                first=self._start_rows,
                block=max(self._memory // BLOCKS_OF_MEMORY, 1),
            )
            for memory in (self._memory, float("inf"))
        )
        self._pending: list[torch.Tensor] = []
        self._has_read, self._working = False, True

    def watch(
        self,
        model: torch.nn.Module,
        *,
        batch_size: int,
        passes: int = 0,
        rank: int = 0,
        num_processes: int = 1,
    ) -> Callable[[], None]:
        """Read along with a model's training passes.

        Args:
            model: What the training loop calls with `input_ids`; where it is compiled, the
                compiled one.
            batch_size: Rows of one pass on this process.
            passes: Training passes that this process has made over the mix before, for a resumed
                run.
            rank: The number of this process among those that batches are dealt out to in turn.
            num_processes: How many those are.

        Returns:
            A function that ends it.
        """
        at = passes

        def hook(_: Any, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
            nonlocal at
            # Evaluation, and a look of the monitor, are no training passes.
            if not self._working or not model.training or not torch.is_grad_enabled():
                return
            first = (at * num_processes + rank) * batch_size
            is_checked = at % _CHECKED == 0
            at += 1
            working, self._working = self._working, False
            with self._failures.contained("reading human rows off the training"), torch.no_grad():
                self._read(first, is_checked, args, kwargs, output)
                self._working = working

        return model.register_forward_hook(hook, with_kwargs=True).remove

    def estimates(self) -> dict[str, Estimate]:
        """What the rows so far say, by name: those of `READ_ALONG`, with `_prequential` after each.

        In a distributed run all processes must call it, and all get the same. NaN where no row has
        been read yet; retention is NaN until `start_rows` have been.
        """
        self._drain()
        now, start = (
            decayed_ratios(summed(each.sums), summed(each.weights))
            for each in (self._now, self._start)
        )
        if summed(np.array([float(self._start_missing)]))[0]:
            start = decayed_ratios(np.zeros_like(self._start.sums), self._start.weights)
        blocks = (summed(each.sums) for each in (self._now_blocks, self._start_blocks))
        return read_along(now, start, *blocks)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types; of this process alone."""
        self._drain()
        return {
            "now": self._now.state_dict(),
            "start": self._start.state_dict(),
            "start_missing": self._start_missing,
            "now_blocks": self._now_blocks.state_dict(),
            "start_blocks": self._start_blocks.state_dict(),
        }

    def restoring(self, state: Part) -> Callable[[], None]:
        """As `RestoredWhole.restoring`, which is the first process's: the others add to it."""
        parts = state.keys("now", "start", "start_missing", optional=_BLOCKS)
        missing = parts["start_missing"].whole(most=self._start_rows)
        sums = {"now": self._now, "start": self._start}
        blocks = {"now_blocks": self._now_blocks, "start_blocks": self._start_blocks}
        restore = [each.restoring(parts[name]) for name, each in sums.items()]
        # The last release's have none.
        if any(name in parts for name in _BLOCKS):
            parts = state.keys("now", "start", "start_missing", *_BLOCKS)
            restore += [each.restoring(parts[name]) for name, each in blocks.items()]
        begun = parts["start"].value["weights"][0]
        parts["start_missing"].check(
            begun + missing == self._start_rows,
            f"{self._start_rows - begun:g}, since {begun:g} of {self._start_rows} rows were read",
        )

        def go_on() -> None:
            self._pending, self._start_missing = [], missing
            if is_first_process():
                for each in restore:
                    each()

        return go_on

    def _read(
        self, first: int, is_checked: bool, args: Any, kwargs: Mapping[str, Any], output: Any
    ) -> None:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        slots = np.arange(first, first + len(ids))
        # A second pass over the stream shows nothing for the first time.
        slots = slots[slots < len(self._mix)]
        if not len(slots):
            return
        mask = kwargs.get("attention_mask")
        if is_checked or not self._has_read:
            self._check_row(int(slots[0]), ids[0], None if mask is None else mask[0])
        located = self._mix.locate(slots)
        chosen = np.flatnonzero(located.is_human & located.is_first)[: self._max_rows]
        if len(chosen):
            self._pending.append(self._row_sums(logits_of(output), ids, mask, chosen.tolist()))
            self._has_read = True
        if len(self._pending) >= _CHECKED:
            self._drain()

    def _row_sums(
        self,
        logits: torch.Tensor,
        ids: torch.Tensor,
        mask: torch.Tensor | None,
        rows: list[int],
    ) -> torch.Tensor:
        """float32 of shape (rows, 2, bands): numerators and denominators of each row."""
        if logits.shape[:2] != ids.shape:
            raise ScoringError(
                f"the training pass returned logits of shape {tuple(logits.shape)} for input of "
                f"shape {tuple(ids.shape)}: prequential readings need logits for every token."
            )
        # On the device, and without anything that is copied there or a choice of positions: the
        # program would wait for the accelerator, between forward and backward pass. A row at a
        # time, which is a view: a copy of their logits would be gigabytes at the training's peak.
        targets = torch.stack([ids[row, 1:] for row in rows]).long()
        told = torch.ones_like(targets, dtype=torch.bool)
        if mask is not None:
            told = torch.stack([(mask[row, 1:] != 0) & (mask[row, :-1] != 0) for row in rows])
        logprobs = torch.stack(
            [
                picked_logprobs(logits[row, :-1], of_row)
                for row, of_row in zip(rows, targets, strict=True)
            ]
        )
        self._types = types = self._types.to(ids.device)
        known = targets.clamp(max=types.shape[1] - 1)
        tail, head, special = types[:, known] & told & (targets == known)
        told = told & ~special
        kept = torch.stack([told, tail, head, tail], dim=1).float()
        values = torch.stack([logprobs, logprobs, logprobs, logprobs.exp()], dim=1)
        return torch.stack([(values * kept).sum(2), kept.sum(2)], dim=1)

    def _check_row(self, slot: int, ids: torch.Tensor, mask: torch.Tensor | None) -> None:
        # The user's own data set is read, which may draw at random, and not for the training.
        with random_states_kept():
            planned = np.asarray(self._mix[slot][self._column]).tolist()
        shown = ids if mask is None else ids[mask != 0]
        shown_ids = shown[: len(planned)].tolist()
        if shown_ids != planned[: len(shown_ids)]:
            raise ScoringError(
                f"the row that the training pass sees is not the one that the mixed stream shows "
                f"in slot {slot}: batches are dealt out, or rows rewritten, in a way that "
                f"prequential readings do not know."
            )

    def _drain(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        rows = torch.cat(pending).double().cpu().numpy()
        finite = np.isfinite(rows).all(axis=(1, 2))
        rows = rows[finite]
        begin = rows[: self._start_missing]
        self._start_missing -= len(begin)
        self._start.add(begin[:, 0], begin[:, 1])
        self._start_blocks.add(begin[:, 0], begin[:, 1])
        self._now.add(rows[:, 0], rows[:, 1])
        self._now_blocks.add(rows[:, 0], rows[:, 1])
