"""Generation after generation: train on text, look at the model, let it write."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from transformers import PreTrainedModel

from collapse_guard import (
    Baseline,
    CollapseMonitor,
    EveryNSteps,
    Look,
    Sampling,
    Threshold,
    default_rules,
    distinct_n,
    flattening_rules,
)
from collapse_guard.alerts.documents import without_blind
from collapse_guard.examples.recursive_finetune.base_model import BaseModel, load_model
from collapse_guard.examples.recursive_finetune.checkpoints import ChainState, Checkpoints
from collapse_guard.examples.recursive_finetune.finetuning import fine_tune
from collapse_guard.examples.recursive_finetune.human_text import HumanText, Rows
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.regimes import REGIMES, Lesson, Regime
from collapse_guard.examples.recursive_finetune.results import GenerationResult, LookResult
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.tokenization import separator
from collapse_guard.examples.recursive_finetune.writing import own_entropy, write_rows
from collapse_guard.mixing.reports.report import MixReport
from collapse_guard.readings.registry import READINGS

TEXTS_KEPT = 3
_START = "start"

ON_HUMAN_TEXT = (*default_rules(), *flattening_rules())
"""The rules on the way: a decoding that is taken for colder than it was flattens the model."""

ON_OWN_TEXT = tuple(rule for rule in default_rules(sampling=True) if rule not in default_rules())
"""The rules on what a model writes, which is looked at after each generation."""


class Laboratory:
    """What the chains of a run share: text, settings, and the model that all start from.

    That model is generation 0: the base model after one fine-tuning on human text, the same for
    all. So what later generations differ by is not that they were fine-tuned, nor on what domain.

    Args:
        settings: Of the run.
        processes: Of the run.
        base: The model to begin with.
        human: Its human text.
        checkpoints: Where states are kept.

    Attributes:
        start: Results of generation 0.
    """

    def __init__(
        self,
        settings: Settings,
        processes: Processes,
        base: BaseModel,
        human: HumanText,
        checkpoints: Checkpoints,
    ) -> None:
        self._settings = settings
        self._processes = processes
        self._tokenizer = base.tokenizer
        self._human = human
        self._checkpoints = checkpoints
        # The smallest preset's panel is too small for some.
        self._rules = without_blind(ON_HUMAN_TEXT, READINGS.values(), human.panel)
        if self._load(_START) is None:
            self._fine_tune_base(base)
        state = cast(ChainState, self._load(_START))
        self.start = state.history[0]
        self._baseline, self._baseline_with_own_text = (
            self._start_of(monitor, state.model) for monitor in (self._monitor(()), self._final())
        )

    def _start_of(self, monitor: CollapseMonitor, model: PreTrainedModel) -> Baseline:
        with self._precision():
            monitor.start(model)
        return cast(Baseline, monitor.baseline)

    def run_chain(self, regime: str) -> Iterator[list[GenerationResult]]:
        """Train generations in one regime, from the newest state that is kept.

        Args:
            regime: Name of the regime.

        Yields:
            The results so far: those at hand, then again with each generation that is added.
        """
        state = self._load(regime) or cast(ChainState, self._load(_START))
        yield list(state.history)
        for generation in range(len(state.history), self._settings.generations + 1):
            state = self._next(regime, state, generation)
            self._save(regime, state)
            yield list(state.history)

    def _fine_tune_base(self, base: BaseModel) -> None:
        model = load_model(base.source, self._processes.device)
        # The start is measured against itself, so the monitor that watches it tells nothing.
        watch = self._monitor(rules=())
        lesson = self._lesson(0, synthetic=None)
        model, mix = self._fine_tune(model, lesson, REGIMES["human"], watch)
        with self._precision():
            reading = self._final().start(model)
        rows, free = self._write(model, generation=0)
        result = self._result(0, reading, model, free, watch, mix)
        self._save(_START, ChainState([result], model, rows))

    def _next(self, regime: str, state: ChainState, generation: int) -> ChainState:
        watch = self._monitor(**_going_on(state, "training", self._baseline))
        lesson = self._lesson(generation, synthetic=state.rows)
        model, mix = self._fine_tune(state.model, lesson, REGIMES[regime], watch)
        with self._precision():
            last = watch.history[-1].step
            final = self._final(**_going_on(state, "own text", self._baseline_with_own_text))
            reading = final.look(model, last)
        rows, free = self._write(model, generation)
        result = self._result(generation, reading, model, free, watch, mix)
        monitors = {"training": watch.state_dict(), "own text": final.state_dict()}
        return ChainState([*state.history, result], model, rows, monitors)

    def _fine_tune(
        self, model: PreTrainedModel, lesson: Lesson, regime: Regime, watch: CollapseMonitor
    ) -> tuple[PreTrainedModel, MixReport]:
        return fine_tune(
            model, lesson, regime, watch, self._settings, self._processes, self._tokenizer
        )

    def _lesson(self, generation: int, synthetic: Rows | None) -> Lesson:
        return Lesson(
            human=self._human.rows[generation],
            synthetic=synthetic,
            reference=self._human.reference,
            seed=seed_of(self._settings.seed, generation, 1),
            held_out=self._human.held_out,
        )

    def _monitor(self, rules: Sequence[Threshold] | None = None, **start: Any) -> CollapseMonitor:
        return CollapseMonitor(
            self._human.panel,
            rules=self._rules if rules is None else rules,
            pace=EveryNSteps(self._settings.every_n_steps),
            batch_size=self._settings.panel_batch_size,
            # What a generation writes is read once, at its end.
            sampling=None,
            **start,
        )

    def _final(self, **start: Any) -> CollapseMonitor:
        """Looks at a generation when it is done, and at what it writes too."""
        texts = self._settings.own_texts
        prompts = max(2, texts // 4)
        sampling = Sampling(
            num_free=max(3, texts),
            num_prompts=min(prompts, len(self._human.panel)),
            samples_per_prompt=2,
            prompt_length=min(16, self._settings.window // 2),
            length=min(64, self._settings.window // 2),
            decoding=self._settings.decoding,
            start_ids=(separator(self._tokenizer),),
            batch_size=self._settings.sampling_batch_size,
        )
        return CollapseMonitor(
            self._human.panel,
            rules=ON_OWN_TEXT,
            pace=EveryNSteps(self._settings.every_n_steps),
            batch_size=self._settings.panel_batch_size,
            sampling=sampling,
            **start,
        )

    def _write(self, model: PreTrainedModel, generation: int) -> tuple[Rows, Rows]:
        """The rows that the next generation may train on, and free-running ones to be read."""
        start = np.full((self._settings.rows, 1), separator(self._tokenizer))
        free = self._drawn(model, start, seed_of(self._settings.seed, generation, 2))
        if not self._settings.prompt:
            return free, free
        prompts = self._human.prompts[generation]
        return self._drawn(model, prompts, seed_of(self._settings.seed, generation, 3)), free

    def _drawn(self, model: PreTrainedModel, prompts: Rows, seed: int) -> Rows:
        return write_rows(model, self._settings, self._processes, prompts=prompts, seed=seed)

    def _result(
        self,
        generation: int,
        reading: Look,
        model: PreTrainedModel,
        free: Rows,
        watch: CollapseMonitor,
        mix: MixReport,
    ) -> GenerationResult:
        # Without the start token, which is the same in every row.
        written = free[:, 1:]
        return GenerationResult(
            generation=generation,
            readings=dict(reading),
            standard_errors=dict(reading.standard_errors),
            distinct_2=distinct_n(written, 2, budget=written.size),
            alerts=[*watch.alerts, *reading.alerts],
            human_share=mix.human_share,
            texts=self._tokenizer.batch_decode(written[:TEXTS_KEPT]),
            looks=[LookResult.of(look) for look in watch.history],
            own_entropy=own_entropy(model, free, self._settings),
            decoding=next((s.decoding for s in mix.sources if s.kind == "synthetic"), None),
            sight=[str(each) for each in watch.sight],
        )

    def _load(self, chain: str) -> ChainState | None:
        return self._checkpoints.load(
            chain, self._processes.device, until=self._settings.generations
        )

    def _save(self, chain: str, state: ChainState) -> None:
        if self._processes.is_main:
            self._checkpoints.save(chain, state)
        self._processes.wait()

    def _precision(self) -> torch.autocast:
        return torch.autocast(
            self._processes.device.type, dtype=torch.bfloat16, enabled=self._settings.bf16
        )


def _going_on(state: ChainState, watched: str, baseline: Baseline) -> dict[str, Any]:
    """What a monitor goes on from: all generations of a chain share one error budget."""
    if watched in state.monitors:
        return {"continues": state.monitors[watched]}
    return {"baseline": baseline}


def seed_of(*numbers: int) -> int:
    """One seed out of several numbers. Regimes share theirs, so that chance is the same for all."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
