"""Models that are fine-tuned on human text once, with what they are looked at on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from collapse_guard import Baseline, CollapseMonitor, EveryNSteps, distinct_n
from collapse_guard.examples.laboratory.regimes import Recipe
from collapse_guard.examples.recursive_finetune.base_model import (
    BaseModel,
    load_model,
    prepare_base_model,
)
from collapse_guard.examples.recursive_finetune.corpus import Corpus
from collapse_guard.examples.recursive_finetune.finetuning import fine_tune
from collapse_guard.examples.recursive_finetune.folders import new_folder
from collapse_guard.examples.recursive_finetune.human_text import (
    HumanText,
    Rows,
    prepare_human_text,
)
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.tokenization import encode, rows_of, separator
from collapse_guard.examples.recursive_finetune.writing import write_rows
from collapse_guard.mixing.reports.report import MixReport


@dataclass(frozen=True)
class Person:
    """A model after one fine-tuning on human text, and its human text.

    Attributes:
        settings: Its size, its tokenizer's size, and how it is trained.
        folder: Where it is.
        tokenizer: Its tokenizer.
        human: Human text in its tokens: the panel, and rows that are held out beside it.
    """

    settings: Settings
    folder: Path
    tokenizer: PreTrainedTokenizerBase
    human: HumanText

    def model(self, processes: Processes) -> PreTrainedModel:
        """A copy of it."""
        return load_model(self.folder, processes.device)

    def write(
        self, model: PreTrainedModel, processes: Processes, *, seed: int, **decoding: Any
    ) -> Rows:
        """Rows that it writes, at temperature 1 unless `decoding` says otherwise."""
        drawn = {"temperature": 1.0, "top_k": None, "top_p": None, "min_p": None, **decoding}
        start = np.full((self.settings.rows, 1), separator(self.tokenizer))
        settings = replace(self.settings, **drawn)
        return write_rows(model, settings, processes, prompts=start, seed=seed)

    def reread(self, texts: Sequence[str]) -> Rows:
        """Texts in its own tokens, as the rows that it is trained on."""
        settings = self.settings
        rows = rows_of(encode(self.tokenizer, texts), settings.window, separator(self.tokenizer))
        return rows[: settings.rows]


def prepare(settings: Settings, corpus: Corpus, folder: Path, processes: Processes) -> Person:
    """A small model that is pre-trained on human text and fine-tuned on more of it; kept."""
    base = prepare_base_model(settings, corpus, processes)
    human = prepare_human_text(settings, corpus, base.tokenizer)
    if not folder.is_dir():
        person = Person(settings, Path(base.source), base.tokenizer, human)
        model, _ = taught(person, human.rows[0], None, processes)
        _keep(model, base, folder)
    return Person(settings, folder, AutoTokenizer.from_pretrained(folder), human)


def taught(
    person: Person,
    rows: Rows,
    decoding: Any,
    processes: Processes,
    *,
    held_out: Rows | None = None,
) -> tuple[PreTrainedModel, MixReport]:
    """What becomes of a model that is fine-tuned on some rows and on nothing else.

    Args:
        person: The model.
        rows: int64 of shape (n, window).
        decoding: What the rows were drawn with, as of `Recipe`; None for the plain loss.
        processes: Of the run.
        held_out: Human rows by which a decoding is found.
    """
    settings = replace(person.settings, rows=len(rows))
    return fine_tune(
        person.model(processes),
        Recipe(None, [rows], 0.0, decoding=decoding),
        Lesson(rows, rows, [rows], person.human.reference, settings.seed, held_out),
        REGIMES["replace"],
        _monitor(person, None),
        settings,
        processes,
        person.tokenizer,
    )


def start_of(person: Person, human: HumanText, processes: Processes) -> Baseline:
    """The start that a model is measured against, on a panel in its own tokens."""
    monitor = _monitor(replace(person, human=human), None)
    monitor.start(person.model(processes))
    baseline = monitor.baseline
    if baseline is None:
        raise RuntimeError("a monitor that was started has a baseline")
    return baseline


def looked_at(
    person: Person, human: HumanText, model: PreTrainedModel, baseline: Baseline
) -> Mapping[str, float]:
    """Readings of a model on a panel, with standard errors as `name_se`."""
    reading = _monitor(replace(person, human=human), baseline).look(model, 1)
    names = ("perplexity", "tail_retention", "head_retention")
    values = {name: float(reading[name]) for name in names}
    return values | {f"{name}_se": float(reading.standard_errors[name]) for name in names}


def variety(person: Person, model: PreTrainedModel, processes: Processes) -> float:
    """Distinct-2 of what a model writes by itself at temperature 0.8."""
    rows = person.write(model, processes, seed=person.settings.seed + 7, temperature=0.8)[:, 1:]
    return distinct_n(rows, 2, budget=rows.size)


def _monitor(person: Person, baseline: Baseline | None) -> CollapseMonitor:
    return CollapseMonitor(
        person.human.panel,
        rules=(),
        # Its callback looks before and after, and that is enough here.
        pace=EveryNSteps(10**6),
        batch_size=person.settings.panel_batch_size,
        sampling=None,
        baseline=baseline,
    )


def _keep(model: PreTrainedModel, base: BaseModel, folder: Path) -> None:
    with new_folder(folder) as temporary:
        model.save_pretrained(temporary)
        base.tokenizer.save_pretrained(temporary)
