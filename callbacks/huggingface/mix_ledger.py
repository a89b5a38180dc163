"""The Hugging Face Trainer's ledger: which rows of a mixed stream it has really trained on."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from collapse_guard.arguments import whole_number
from collapse_guard.extras import require
from collapse_guard.failures import FailureGuard, OnError
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.identity import another_mix, differences
from collapse_guard.mixing.packing.packed_mix import PackedMix
from collapse_guard.mixing.packing.shown_slots import in_slots
from collapse_guard.mixing.reports.ledger import (
    LEDGER_NAME,
    Shown,
    ledger_of,
    slots_shown,
    write_ledger,
)
from collapse_guard.mixing.stream import MixStream

require("transformers", "huggingface")

from transformers import (  # noqa: E402
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR  # noqa: E402

logger = logging.getLogger("collapse_guard")

_COMPARED_SLOTS = 1024
_STATE_KEY = "collapse_guard/mix_ledger"


class MixLedgerCallback(TrainerCallback):
    """Keeps the ledger of a mixed stream, and refuses to train on it out of order.

    Before the first step, a loader that would void the floor ends the run with a `MixOrderError`.
    From then on `mix_ledger.json` in the output folder, and in each checkpoint, says what was
    shown, by source, generation, stratum and epoch (see `collapse_guard.mixing.reports.ledger`). It
    is computed from the plan and the number of steps, so it covers all processes and what was shown
    before a resume. A kill at any moment leaves a whole file; a run that is resumed begins by
    bringing it up to the checkpoint. Another run in the same folder writes `mix_ledger-2.json` and
    so on, and says so. A checkpoint of another mix is refused by what is different.

    Nothing else is touched: same weights, random states and data. What fails while the ledger is
    kept is reported to the logger `collapse_guard`, and training goes on. Only the main process
    writes.

    Args:
        guard: The stream that the Trainer trains on, or that its data set was made from; or its
            packs, where those are trained on.
        every_n_steps: Optimizer steps between two writes, at least 1; it is also written with each
            checkpoint and at the end.
        on_error: `"report"` logs what fails while the ledger is kept, `"raise"` raises it.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.

    Example:
        ::

            ledger = MixLedgerCallback(guard)
            Trainer(model, args, train_dataset=guard, callbacks=[ledger]).train()
            read_ledger(args.output_dir)["total"]["human_share"]
    """

    def __init__(
        self,
        guard: MixGuard | MixStream | PackedMix,
        *,
        every_n_steps: int = 10,
        on_error: OnError = "report",
    ) -> None:
        self.guard = guard
        self.every_n_steps = whole_number(
            "every_n_steps", every_n_steps, least=1, hint="give 1 for every step"
        )
        self._failures = FailureGuard(on_error)
        self._loader: Any = None
        self._mix: dict[str, Any] = {}
        self._run: str | None = None
        self._is_told = False

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Refuse a loader that would void the floor, and open the ledger.

        Raises:
            MixOrderError: The loader does not read the stream in order; says what to set.
            ArgumentError: The checkpoint that is resumed is of another mix; says what differs.
        """
        loader = kwargs["train_dataloader"]
        self.guard.check_loader(loader)
        self._loader = None
        with self._failures.contained("opening the mix ledger"):
            if self._can_keep(args, state, loader):
                self._loader = loader
                self._mix = _identity(_stream(self.guard))
                self._compare_with_blocks(args)
        saved = _saved(state)
        self._refuse_another_mix(saved)
        self._run = saved.get("run") if saved else uuid4().hex[:12]
        with self._failures.contained("opening the mix ledger"):
            self._compare_with_checkpoint(args, state, saved)
        self._write(args, state)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Keep count, and write from time to time."""
        if self._loader is None:
            return
        with self._failures.contained("keeping the mix ledger"):
            # The Trainer's annotation is that of the constructor's argument; it keeps a dict.
            saved = cast(dict[str, Any], state.stateful_callbacks)
            shown = self._shown(args, state)
            saved[_STATE_KEY] = {
                "passes": shown.passes,
                "slots": shown.slots,
                "mix": self._mix,
                "run": self._run,
            }
        if state.global_step % self.every_n_steps == 0:
            self._write(args, state)

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Write beside the checkpoint's own files, and to the output folder."""
        self._write(args, state, beside_checkpoint=True)

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Close the ledger."""
        self._write(args, state)

    def _can_keep(self, args: TrainingArguments, state: TrainerState, loader: Any) -> bool:
        # accelerate wraps a stream that each process reads in full.
        data = loader.dataset.dataset if _is_wrapped(loader) else loader.dataset
        sizes = _length(data), _length(self.guard)
        if None not in sizes and sizes[0] != sizes[1]:
            logger.warning(
                "no mix ledger is kept: the run trains on %d rows, and the mixed stream has %d.",
                *sizes,
            )
            return False
        if state.global_step and args.ignore_data_skip:
            logger.warning(
                "no mix ledger is kept: with ignore_data_skip=True, a run that is resumed begins "
                "the stream anew."
            )
            return False
        return True

    def _refuse_another_mix(self, saved: Mapping[str, Any]) -> None:
        if self._loader is None or not saved:
            return
        if not isinstance(saved.get("mix"), Mapping):
            logger.warning(
                "the checkpoint is of an earlier release, which did not keep of what its mix was "
                "made: whether it is this one is not looked at."
            )
        elif found := differences(saved["mix"], self._mix):
            raise another_mix("resume_from_checkpoint", found)

    def _compare_with_checkpoint(
        self, args: TrainingArguments, state: TrainerState, saved: Mapping[str, Any]
    ) -> None:
        if self._loader is None or not saved:
            return
        shown = self._shown(args, state)
        if (saved["passes"], saved["slots"]) != (shown.passes, shown.slots):
            logger.warning(
                "the checkpoint's run had shown %d slots of pass %d, and this one goes on at slot "
                "%d of pass %d: rows in between are missed or shown again, and the ledger counts "
                "as if this run had been the same all along. Resume with the same global batch.",
                saved["slots"],
                saved["passes"],
                shown.slots,
                shown.passes,
            )

    def _compare_with_blocks(self, args: TrainingArguments) -> None:
        report = self.guard.report(0)
        # A floor of tokens holds for batches of any size, and a batch of packs is of no size.
        if isinstance(self.guard, PackedMix) or getattr(report, "token_floor", None) is not None:
            return
        rows = _slots_per_batch(self._loader) * args.gradient_accumulation_steps
        block = report.block_size
        if rows % block:
            logger.warning(
                "a step trains on %d rows, which is no whole number of blocks of %d: it may hold a "
                "human row less than its share. Give block_size=%d to the mixed stream.",
                rows,
                block,
                rows,
            )

    def _shown(self, args: TrainingArguments, state: TrainerState) -> Shown:
        shown = slots_shown(
            state.global_step,
            slots_per_batch=_slots_per_batch(self._loader),
            accumulation=args.gradient_accumulation_steps,
            batches=_length(self._loader),
            length=_length(self.guard),
            fills_up=bool(getattr(self._loader.batch_sampler, "even_batches", False)),
        )
        return in_slots(self.guard, shown) if isinstance(self.guard, PackedMix) else shown

    def _write(
        self, args: TrainingArguments, state: TrainerState, *, beside_checkpoint: bool = False
    ) -> None:
        if self._loader is None or not state.is_world_process_zero:
            return
        with self._failures.contained("writing the mix ledger"):
            shown = self._shown(args, state)
            stream = _stream(self.guard)
            ledger = ledger_of(stream, shown, step=state.global_step, run=self._run)
            folder = Path(cast(str, args.output_dir))
            checkpoint = folder / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            if beside_checkpoint and checkpoint.is_dir():
                write_ledger(checkpoint, ledger, replace=True)
            path = write_ledger(folder, ledger)
            if path.name != LEDGER_NAME and not self._is_told:
                self._is_told = True
                logger.warning(
                    "%s holds the ledger of another run: that of this one is %s.", folder, path
                )


def _stream(guard: MixGuard | MixStream | PackedMix) -> MixGuard | MixStream:
    return guard.guard if isinstance(guard, PackedMix) else guard


def _saved(state: TrainerState) -> Mapping[str, Any]:
    """What the checkpoint that is resumed has kept; empty where there is none."""
    saved = cast(dict[str, Any], state.stateful_callbacks).get(_STATE_KEY)
    return saved if state.global_step and isinstance(saved, Mapping) else {}


def _identity(guard: MixGuard | MixStream) -> dict[str, Any]:
    """What a run must share with the one that it resumes, with how its rows are ordered."""
    if not isinstance(guard, MixGuard):
        return guard.identity
    slots = min(len(guard), _COMPARED_SLOTS)
    rows = guard.locate(range(slots)).row.tolist()
    report = guard.report(slots).to_dict()
    for source in [*report["sources"], *(s for e in report["epochs"] for s in e["sources"])]:
        # It says how rows are learnt from, and may be found only after the run has begun.
        del source["decoding"]
    told = json.dumps([report, rows])
    order = hashlib.sha256(told.encode()).hexdigest()[:16]
    return {**guard.identity, "order of its rows": order}


def _slots_per_batch(loader: Any) -> int:
    """Rows of one batch of all processes together, whichever way accelerate deals them out."""
    if hasattr(loader, "_fetch_batches"):
        # A dispatcher, which reads on one process what it hands on to all.
        return int(loader.batch_size * (1 if loader.split_batches else loader.state.num_processes))
    # Where there are several processes, a stream is wrapped, or else the sampler of a data set.
    part = loader.dataset if _is_wrapped(loader) else loader.batch_sampler
    split = getattr(part, "split_batches", False)
    return int(part.batch_size * (1 if split else getattr(part, "num_processes", 1)))


def _is_wrapped(loader: Any) -> bool:
    return hasattr(loader.dataset, "process_index") and hasattr(loader.dataset, "dataset")


def _length(data: Any) -> int | None:
    try:
        return len(data)
    except TypeError:
        return None
