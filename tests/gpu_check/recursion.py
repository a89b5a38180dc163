"""The recursive example on a model of 33 M parameters, trained here from Python's documentation."""

import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import transformers

from collapse_guard.examples.recursive_finetune.base_model import load_model, prepare_base_model
from collapse_guard.examples.recursive_finetune.chain import Laboratory
from collapse_guard.examples.recursive_finetune.checkpoints import Checkpoints
from collapse_guard.examples.recursive_finetune.corpus import load_corpus
from collapse_guard.examples.recursive_finetune.human_text import prepare_human_text
from collapse_guard.examples.recursive_finetune.presets import PRESETS
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.results import GenerationResult
from collapse_guard.examples.recursive_finetune.settings import Settings
from tests.gpu_check.checks import Findings, Place
from tests.scales import parameters_of

COLLAPSING, PROTECTED = "replace", "guarded"

SETTINGS = Settings(
    regimes=[COLLAPSING, PROTECTED],
    generations=3,
    hidden_size=640,
    num_layers=6,
    # 1.2 M tokens: each of the pre-training part about four times.
    base_steps=300,
    base_batch_size=32,
    base_learning_rate=1e-3,
    rows=256,
    sampling_batch_size=256,
    passes=2,
    learning_rate=1e-3,
    every_n_steps=8,
    panel_batch_size=32,
    bf16=True,
)
"""33 M parameters. Guessed: pre-training is 2.4e14 operations, which an H100 does in a second, but
300 steps of a thousand small kernels each, so 10 to 20 seconds. A generation is 32 steps of
adapters, a few looks, and 127 passes for its rows: 10 to 15 seconds, seven times. With the text and
its tokens before, 100 to 150 seconds in all. Width, rate and rank are about those with which
SmolLM2-135M lost half of its tail in a generation."""

SMALL = Settings(**{**PRESETS["smoke"], "generations": 1, "regimes": [COLLAPSING, PROTECTED]})

LOST, KEPT = 0.8, 0.9
"""Tail retention of a model that has collapsed at most, and of one that has not at least."""

SPARE = 1.5
"""How many times as long as the last generations the next ones may take."""


def generations(place: Place) -> Findings:
    """Train generation after generation in both regimes, as many as there is time for."""
    settings = replace(
        SMALL if place.small else SETTINGS,
        output_dir=str(place.folder / "chains"),
        cpu=place.device == "cpu",
    )
    with _cached_in(place.folder):
        laboratory, figures = _laboratory(settings)
        chains = {name: laboratory.run_chain(name) for name in settings.regimes}
        # What is there already: the model that both start from.
        newest = {name: next(chain)[-1] for name, chain in chains.items()}
        table = [_row("both", newest[PROTECTED])]
        figures = {**figures, "generations": table}
        place.note(figures)
        for number in range(1, settings.generations + 1):
            began = time.monotonic()
            for name, chain in chains.items():
                newest[name] = next(chain)[-1]
                table.append(_row(name, newest[name]))
                place.note(figures)
            took = time.monotonic() - began
            if number < settings.generations and place.seconds_left() < SPARE * took:
                figures["cut short"] = f"after generation {number}, for want of time"
                break
    if place.small:
        return Findings(figures)
    retention = {name: each.readings["tail_retention"] for name, each in newest.items()}
    return Findings(
        figures,
        {
            f"tail retention of `{COLLAPSING}` falls to {LOST} or less": retention[COLLAPSING]
            <= LOST,
            f"that of `{PROTECTED}` stays at {KEPT} or more": retention[PROTECTED] >= KEPT,
        },
    )


def _laboratory(settings: Settings) -> tuple[Laboratory, dict[str, Any]]:
    """What the chains share, and how long it took to make."""
    # As the example does.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
    transformers.utils.logging.disable_progress_bar()
    times: dict[str, float] = {}
    processes = Processes(cpu=settings.cpu)
    with _timed(times, "seconds for the text"):
        corpus = load_corpus(None)
    with _timed(times, "seconds for the tokenizer and the base model"):
        base = prepare_base_model(settings, corpus, processes)
    with _timed(times, "seconds for rows and panel"):
        human = prepare_human_text(settings, corpus, base.tokenizer)
    checkpoints = Checkpoints(Path(settings.output_dir) / "state")
    with _timed(times, "seconds for generation 0"):
        laboratory = Laboratory(settings, processes, base, human, checkpoints)
    parameters = parameters_of(load_model(base.source, processes.device)) / 1e6
    model = (
        f"Llama of {parameters:.1f} M parameters and {len(base.tokenizer):,} types, on "
        f"{corpus.name}: {sum(corpus.characters().values()):,} characters"
    )
    named = ("rows", "passes", "batch_size", "learning_rate", "lora_rank", "base_steps", "bf16")
    told = ", ".join(f"{name} {getattr(settings, name)}" for name in named)
    return laboratory, {"model": model, "settings": f"{told}, {settings.decoding}", **times}


def _row(regime: str, result: GenerationResult) -> Mapping[str, Any]:
    readings, errors = result.readings, result.standard_errors
    return {
        "generation": result.generation,
        "regime": regime,
        "tail retention": readings["tail_retention"],
        "±": errors["tail_retention"],
        "head retention": readings["head_retention"],
        "perplexity": readings["perplexity"],
        "distinct-2": result.distinct_2,
        "human rows": result.human_share,
        "first alarm": f"step {result.alerts[0].step}, {result.alerts[0].rule}"
        if result.alerts
        else "none",
    }


@contextmanager
def _cached_in(folder: Path) -> Iterator[None]:
    """Let the example keep its base model there, and nowhere else."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before


@contextmanager
def _timed(times: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    times[name] = time.monotonic() - began
