"""Generation after generation: train on text, look at the model, let it write."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from transformers import PreTrainedModel

from collapse_guard import Baseline, CollapseMonitor
from collapse_guard.examples.recursive_finetune.base_model import BaseModel, load_model
from collapse_guard.examples.recursive_finetune.checkpoints import ChainState, Checkpoints
from collapse_guard.examples.recursive_finetune.finetuning import fine_tune
from collapse_guard.examples.recursive_finetune.generation import result_of
from collapse_guard.examples.recursive_finetune.human_text import HumanText, Rows
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson, Regime
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.results import GenerationResult
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.tokenization import separator
from collapse_guard.examples.recursive_finetune.watching import (
    on_the_way,
    rules_on_the_way,
    when_done,
)
from collapse_guard.examples.recursive_finetune.writing import write_rows
from collapse_guard.mixing.reports.report import MixReport

_START = "start"

_TRAINING, _FREE, _ON_PROMPTS, _MORE = 1, 2, 3, 4
"""What the random numbers of a generation are for; `_MORE` is a lesson's `more`."""


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
        self._base = base
        self._human = human
        self._checkpoints = checkpoints
        rules = rules_on_the_way(human.panel)
        self._on_the_way = partial(on_the_way, settings, human.panel, rules)
        # The start is measured against itself, so the monitor that watches it tells nothing.
        self._silent = partial(on_the_way, settings, human.panel, ())
        self._when_done = partial(
            when_done, settings, human.panel, base.tokenizer, human.rare_words
        )
        self._result = partial(
            result_of,
            settings=settings,
            tokenizer=base.tokenizer,
            # Of the rows that are read.
            given=settings.prompt if settings.beams > 1 else 1,
        )
        if (start := self._load(_START)) is None:
            self._save(_START, self._begin())
            # As it is kept, on every process.
            start = self._start_state()
        self.start, model = start.history[0], start.model
        self._baseline, self._baseline_with_own_text = (
            self._start_of(monitor, model) for monitor in (self._silent(), self._when_done())
        )

    def run_chain(self, regime: str) -> Iterator[list[GenerationResult]]:
        """Train generations in one regime, from the newest state that is kept.

        Args:
            regime: Name of the regime.

        Yields:
            The results so far: those at hand, then again with each generation that is added.
        """
        state = self._load(regime) or self._first(REGIMES[regime].writers)
        yield list(state.history)
        for generation in range(len(state.history), self._settings.generations + 1):
            state = self._next(REGIMES[regime], state, generation)
            self._save(regime, state)
            yield list(state.history)

    def seconds_per_step(self, regime: str) -> float:
        """Processor time of a training step of generation 1, what goes before it shared out.

        Without what looks at it take; the model is thrown away.
        """
        chosen = REGIMES[regime]
        state = self._first(chosen.writers)
        lesson = self._lesson(1, state, state.model)
        watch = self._silent(baseline=self._baseline)
        times = [time.process_time()]
        self._silent(baseline=self._baseline).look(state.model, 0)
        times.append(time.process_time())
        _, mix, _ = self._trained(state.model, chosen, lesson, watch)
        times.append(time.process_time())
        look, all_of_it = np.diff(times)
        seconds = float(all_of_it - look * len(watch.history))
        return chosen.writers * seconds * self._settings.batch_size / mix.slots

    def _begin(self) -> ChainState:
        watch = self._silent()
        model, mix, _ = self._trained(self._base_model(), REGIMES["human"], self._lesson(0), watch)
        with self._precision():
            reading = self._when_done().start(model)
        rows, own = self._write(model, generation=0)
        result = self._result(0, model, reading, watch, mix, own)
        return ChainState([result], model, [rows])

    def _first(self, writers: int) -> ChainState:
        """Generation 0, and others beside it that were fine-tuned on human rows of their own."""
        state = self._start_state()
        others = []
        for number in range(1, writers):
            # Those of later generations, which nobody else trains on where there are writers.
            own = self._human.rows[1 + (number - 1) % self._settings.generations]
            lesson = replace(self._lesson(0, writer=number), human=own)
            watch = self._silent()
            others.append(self._trained(self._base_model(), REGIMES["human"], lesson, watch)[0])
        rows = self._together(state.written[0], others, generation=0)
        return replace(state, written=[rows], others=others)

    def _next(self, regime: Regime, state: ChainState, generation: int) -> ChainState:
        others = []
        for number, model in enumerate(state.others, 1):
            lesson = self._lesson(generation, state, model, number)
            others.append(self._trained(self._continued(model), regime, lesson, self._silent())[0])
        watch = self._on_the_way(**_going_on(state, "training", self._baseline))
        lesson = self._lesson(generation, state, state.model)
        model, mix, people = self._trained(self._continued(state.model), regime, lesson, watch)
        with self._precision():
            last = watch.history[-1].step
            done = self._when_done(**_going_on(state, "own text", self._baseline_with_own_text))
            reading = done.look(model, last)
        rows, own = self._write(model, generation)
        written = [*state.written, self._together(rows, others, generation)]
        result = self._result(generation, model, reading, watch, mix, own, by_people=people)
        monitors = {"training": watch.state_dict(), "own text": done.state_dict()}
        return ChainState([*state.history, result], model, written, monitors, others)

    def _trained(
        self, model: PreTrainedModel, regime: Regime, lesson: Lesson, watch: CollapseMonitor
    ) -> tuple[PreTrainedModel, MixReport, float]:
        """The model, what it was shown, and what people wrote of the synthetic tokens of that."""
        recipe = regime.recipe(lesson, self._settings)
        model, mix = fine_tune(
            model,
            recipe,
            lesson,
            regime,
            watch,
            self._settings,
            self._processes,
            self._base.tokenizer,
        )
        return model, mix, recipe.by_people

    def _lesson(
        self,
        generation: int,
        state: ChainState | None = None,
        model: PreTrainedModel | None = None,
        writer: int = 0,
    ) -> Lesson:
        def more() -> Rows:
            return self._written_by(cast(PreTrainedModel, model), generation - 1, _MORE, writer)

        return Lesson(
            human=self._human.rows[generation],
            first=self._human.rows[0],
            written=[] if state is None else state.written,
            reference=self._human.reference,
            seed=self._seed(generation, _TRAINING, writer),
            held_out=self._human.held_out,
            writer=model,
            tokenizer=self._base.tokenizer,
            start=self._start_model,
            more=more,
        )

    def _base_model(self) -> PreTrainedModel:
        return load_model(self._base.source, self._processes.device)

    def _start_model(self) -> PreTrainedModel:
        return self._start_state().model

    def _start_state(self) -> ChainState:
        return cast(ChainState, self._load(_START))

    def _start_of(self, monitor: CollapseMonitor, model: PreTrainedModel) -> Baseline:
        with self._precision():
            monitor.start(model)
        return cast(Baseline, monitor.baseline)

    def _continued(self, model: PreTrainedModel) -> PreTrainedModel:
        """What a generation fine-tunes."""
        anew = {"first": self._start_model, "base": self._base_model}
        return anew.get(self._settings.continue_from, lambda: model)()

    def _write(self, model: PreTrainedModel, generation: int) -> tuple[Rows, Rows]:
        """The rows that the next generation may train on, and those to be read.

        The latter are free-running, but for a beam search, which always writes the same by itself.
        """
        prompted = bool(self._settings.prompt)
        rows = self._written_by(model, generation, _ON_PROMPTS if prompted else _FREE)
        if not prompted or self._settings.beams > 1:
            return rows, rows
        return rows, self._written_by(model, generation, _FREE)

    def _written_by(
        self, model: PreTrainedModel, generation: int, draw: int, writer: int = 0
    ) -> Rows:
        """Rows on a generation's prompts; free-running ones where that is it, or it has none."""
        seed = self._seed(generation, draw, writer)
        prompts = self._human.prompts[generation]
        if draw == _FREE or not self._settings.prompt:
            prompts = np.full((self._settings.rows, 1), separator(self._base.tokenizer))
        return write_rows(model, self._settings, self._processes, prompts=prompts, seed=seed)

    def _together(self, rows: Rows, others: Sequence[PreTrainedModel], generation: int) -> Rows:
        """Rows of the model and of those beside it, in equal parts to within a row."""
        draw = _ON_PROMPTS if self._settings.prompt else _FREE
        sets = [rows] + [
            self._written_by(model, generation, draw, number)
            for number, model in enumerate(others, 1)
        ]
        parts = np.array_split(np.arange(len(rows)), len(sets))
        return np.concatenate([each[part] for each, part in zip(sets, parts, strict=True)])

    def _seed(self, generation: int, what_for: int, writer: int) -> int:
        """The first writer's is that of all regimes, whatever others there are."""
        beside = [writer] if writer else []
        return seed_of(self._settings.seed, generation, what_for, *beside)

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
