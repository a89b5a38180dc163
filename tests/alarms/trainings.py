"""Real trainings, watched with the default rules: healthy ones, and ones on a model's own text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    set_seed,
)

from collapse_guard import HeldOutPanel, Sampling
from collapse_guard.examples.recursive_finetune.base_model import load_model
from collapse_guard.examples.recursive_finetune.chain import seed_of
from collapse_guard.examples.recursive_finetune.corpus import Corpus
from collapse_guard.examples.recursive_finetune.finetuning import fine_tune
from collapse_guard.examples.recursive_finetune.python_documentation import python_documents
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.tokenization import encode, train_tokenizer
from collapse_guard.examples.recursive_finetune.writing import write_rows
from collapse_guard.readings.sampling import A_LITTLE
from tests.alarms.judged import HeldOut, JudgedMonitor
from tests.alarms.texts import (
    Domain,
    Texts,
    domain_of,
    every_other,
    split_documentation,
    stretches,
    wikitext,
    without,
)
from tests.finder_study import Bench

CPU = torch.device("cpu")
BASE_BATCH, REAL_BATCH = 16, 8


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        example: Settings of the recursive example.
        windows: Of a panel, at most.
        every: Steps between two looks of the example's generations.
        plain_every: Steps between two looks of other fine-tunings.
        domain_steps: Of a fine-tuning on another domain.
        scratch_steps: Of a training from scratch.
        scratch_every: Steps between its looks.
        real_steps: Of the pretrained model.
        real_windows: Of its panel.
        sampling: What a model writes at each look.
    """

    example: Mapping[str, Any] = field(default_factory=lambda: {"generations": 2})
    windows: int = 128
    every: int = 2
    plain_every: int = 4
    domain_steps: int = 48
    scratch_steps: int = 300
    scratch_every: int = 12
    real_steps: int = 24
    real_windows: int = 60
    sampling: Sampling = A_LITTLE


@dataclass(frozen=True)
class Sources:
    """Texts and a model; None where one is not at hand.

    Attributes:
        wikitext: A file in WikiText's form.
        shakespeare: A file of plain text.
        model: Folder of a pretrained model.
        documentation: Python's, by module and topic, or what stands in for it.
    """

    wikitext: Path | None = None
    shakespeare: Path | None = None
    model: Path | None = None
    documentation: Texts | None = None


class Place:
    """What the trainings of one seed share.

    Args:
        seed: Of the example: its base model, its rows and its first fine-tuning.
        folder: Where models are kept.
        scale: How large everything is.
        sources: Texts and a model.
    """

    def __init__(self, seed: int, folder: Path, scale: Scale, sources: Sources) -> None:
        self.seed, self.scale, self.sources, self._folder = seed, scale, sources, folder

    @cached_property
    def _split(self) -> tuple[Corpus, list[str]]:
        documentation = self.sources.documentation
        return split_documentation(python_documents() if documentation is None else documentation)

    @cached_property
    def bench(self) -> Bench:
        """The example's models and text."""
        corpus, _ = self._split
        return Bench(self.seed, self._folder / str(self.seed), corpus=corpus, **self.scale.example)

    def monitor(
        self, held_out: HeldOut, *, every: int, before: JudgedMonitor | None = None
    ) -> JudgedMonitor:
        """What watches a training, as `JudgedMonitor` has it."""
        return JudgedMonitor(held_out, every=every, sampling=self.scale.sampling, before=before)

    @cached_property
    def documentation(self) -> HeldOut:
        """The example's own panel, and one of modules that nothing is trained on."""
        _, documents = self._split
        panel = self.bench.human.panel
        second = HeldOutPanel.from_token_ids(
            encode(self.bench.tokenizer, documents),
            panel.reference,
            window=self.bench.settings.window,
            short="drop",
            max_windows=2 * self.scale.windows,
        )
        return HeldOut(panel, second)

    def domain(self, texts: Texts) -> Domain:
        """Another domain, under the example's tokenizer."""
        return domain_of(
            texts,
            self.bench.tokenizer,
            window=self.bench.settings.window,
            most=self.scale.windows,
            seed=self.seed,
            held_out=every_other(texts),
        )

    def base(self) -> PreTrainedModel:
        """The example's model before it is fine-tuned."""
        return load_model(self.bench.base.source, CPU)


def train(
    model: torch.nn.Module,
    rows: npt.NDArray[np.int64],
    monitor: JudgedMonitor,
    *,
    steps: int,
    batch: int,
    rate: float,
) -> JudgedMonitor:
    """A plain loop whose rate falls linearly to 0, and whose rows come again when all have come."""
    monitor.start(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for step in range(1, steps + 1):
        numbers = np.arange((step - 1) * batch, step * batch) % len(rows)
        ids = torch.from_numpy(rows[numbers])
        model.train()
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        falling.step()
        model.eval()
        monitor.observe(model, step)
    if monitor.history[-1].step != steps:
        monitor.look(model, steps)
    monitor.finish(model)
    return monitor


def adapted(model: torch.nn.Module, place: Place) -> torch.nn.Module:
    """The model under fresh adapters, as the example has them."""
    torch.manual_seed(place.seed)
    rank = place.bench.settings.lora_rank
    return get_peft_model(
        model,
        LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM"),
    )


def own_domain(place: Place, *, rate: float, lora: bool) -> list[JudgedMonitor]:
    """The example's base model goes on, one pass over fresh rows of its own domain."""
    rows = place.bench.human.rows.reshape(-1, place.bench.settings.window)
    batch = place.bench.settings.batch_size
    model = adapted(place.base(), place) if lora else place.base()
    monitor = place.monitor(place.documentation, every=place.scale.plain_every)
    return [train(model, rows, monitor, steps=len(rows) // batch, batch=batch, rate=rate)]


def other_domain(
    place: Place, *, texts: Callable[[Sources], Texts], rate: float, lora: bool
) -> list[JudgedMonitor]:
    """The example's base model learns another domain, watched on a panel of that domain."""
    domain = place.domain(texts(place.sources))
    model = adapted(place.base(), place) if lora else place.base()
    monitor = place.monitor(domain.held_out, every=place.scale.plain_every)
    steps, batch = place.scale.domain_steps, place.bench.settings.batch_size
    return [train(model, domain.rows, monitor, steps=steps, batch=batch, rate=rate)]


def from_scratch(place: Place, *, rate: float) -> list[JudgedMonitor]:
    """A model with the example's shape, and a tokenizer, of nothing but articles of WikiText."""
    texts, settings = of_wikitext(place.sources), place.bench.settings
    held_out = every_other(texts)
    tokenizer = train_tokenizer(without(texts, held_out), settings.vocab_size)
    domain = domain_of(
        texts,
        tokenizer,
        window=settings.window,
        most=place.scale.windows,
        seed=place.seed,
        held_out=held_out,
    )
    set_seed(place.seed)
    model = LlamaForCausalLM(cast(LlamaConfig, place.base().config))
    monitor = place.monitor(domain.held_out, every=place.scale.scratch_every)
    steps = place.scale.scratch_steps
    return [train(model, domain.rows, monitor, steps=steps, batch=BASE_BATCH, rate=rate)]


def pretrained(place: Place, *, rate: float) -> list[JudgedMonitor]:
    """A pretrained model on half of WikiText's articles."""
    texts = of_wikitext(place.sources)
    folder = place.sources.model
    assert folder is not None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    domain = domain_of(
        texts,
        tokenizer,
        window=64,
        most=place.scale.real_windows,
        seed=place.seed,
        held_out=every_other(texts),
    )
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    monitor = place.monitor(domain.held_out, every=place.scale.plain_every)
    steps = place.scale.real_steps
    return [train(model, domain.rows, monitor, steps=steps, batch=REAL_BATCH, rate=rate)]


def human_generations(place: Place, *, last: int = 2) -> list[JudgedMonitor]:
    """The example's control: generation after generation on fresh human rows."""
    model, monitors, before = place.bench.model(), [], None
    for generation in range(1, last + 1):
        monitor = place.monitor(place.documentation, every=place.scale.every, before=before)
        model = _generation(place, model, "human", generation, None, monitor)
        monitors.append(monitor)
        before = monitor
    return monitors


def first_generation(
    place: Place, *, regime: str, draw: int, **decoding: Any
) -> list[JudgedMonitor]:
    """The example's generation 1 in a regime, on what generation 0 wrote with a decoding."""
    settings = replace(place.bench.settings, **{"temperature": 1.0, **decoding})
    model = place.bench.model()
    start = np.full((settings.rows, 1), place.bench.start)
    written = write_rows(
        model, settings, place.bench.processes, prompts=start, seed=seed_of(place.seed, draw, 2)
    )
    monitor = place.monitor(place.documentation, every=place.scale.every)
    _generation(place, model, regime, 1, written, monitor, draw=draw, settings=settings)
    return [monitor]


def _generation(
    place: Place,
    model: Any,
    regime: str,
    generation: int,
    written: npt.NDArray[np.int64] | None,
    monitor: JudgedMonitor,
    *,
    draw: int = 0,
    settings: Any = None,
) -> Any:
    bench = place.bench
    lesson = Lesson(
        human=bench.human.rows[generation],
        first=bench.human.rows[0],
        written=[] if written is None else [written],
        reference=bench.human.reference,
        seed=seed_of(place.seed, generation, draw),
    )
    chosen = bench.settings if settings is None else settings
    merged, _ = fine_tune(
        model,
        REGIMES[regime].recipe(lesson, chosen),
        lesson,
        REGIMES[regime],
        monitor,
        chosen,
        bench.processes,
        bench.tokenizer,
    )
    monitor.finish(merged)
    return merged


def of_wikitext(sources: Sources) -> Texts:
    """WikiText's articles."""
    assert sources.wikitext is not None
    return wikitext(sources.wikitext)


def of_shakespeare(sources: Sources) -> Texts:
    """Stretches of Shakespeare's plays."""
    assert sources.shakespeare is not None
    return stretches(sources.shakespeare)
