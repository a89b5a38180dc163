"""Which default rules fire on real trainings: false alarms, missed alarms, and how late they come.

    OMP_NUM_THREADS=1 python -m tests.alarm_study study.json [--only NAME ...] [--seeds 11 12]
        [--wikitext FILE] [--shakespeare FILE] [--model FOLDER]

trains small models (and SmolLM2-135M where its folder is given, as `make demo-real` makes it) on
human text and on their own, watched by a monitor with its default rules, and prints two tables. It
writes JSON after each training and goes on where it was stopped. Texts and the model may also be
named by the environment variables WIKITEXT, SHAKESPEARE and SMOLLM2; what needs one that is missing
is told and left out. The models that runs start from are kept beside the results.
"""

import argparse
import inspect
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import transformers

from collapse_guard.atomic import write_atomically
from tests.alarms.judged import JudgedMonitor
from tests.alarms.tables import healthy_table, rules_table, self_training_table
from tests.alarms.trainings import (
    Place,
    Scale,
    Sources,
    first_generation,
    from_scratch,
    human_generations,
    of_shakespeare,
    of_wikitext,
    other_domain,
    own_domain,
    pretrained,
)

SEEDS = (11, 12)
"""Of the example's models: none that a limit of the default rules was chosen on."""


@dataclass(frozen=True)
class Case:
    """A kind of training.

    Attributes:
        name: What happens.
        run: Trains, and gives the monitors that watched, of each generation its own.
        needs: Of the sources, what it cannot do without.
        most: Seeds of those asked for that it is run with.
        healthy: Whether the text is human.
    """

    name: str
    run: Callable[[Place], list[JudgedMonitor]]
    needs: tuple[str, ...] = ()
    most: int = 3
    healthy: bool = True


def _healthy() -> Iterator[Case]:
    ways = {"full": ((1e-4, 3e-4, 1e-3), False), "LoRA": ((1e-3, 3e-3), True)}
    for way, (rates, lora) in ways.items():
        for rate in rates:
            run = partial(own_domain, rate=rate, lora=lora)
            yield Case(f"own domain, {way}, {rate:.0e}", run, most=2)
    others = {"WikiText": (of_wikitext, "wikitext"), "Shakespeare": (of_shakespeare, "shakespeare")}
    for domain, (texts, needs) in others.items():
        for way, (rates, lora) in ways.items():
            run = partial(other_domain, texts=texts, rate=rates[-1], lora=lora)
            yield Case(f"{domain}, {way}, {rates[-1]:.0e}", run, (needs,), most=2)
    yield Case("WikiText from scratch, 2e-03", partial(from_scratch, rate=2e-3), ("wikitext",), 2)
    real = ("wikitext", "model")
    yield Case("SmolLM2-135M on WikiText, 5e-05", partial(pretrained, rate=5e-5), real, most=1)
    yield Case("example's human regime", human_generations)


def _self_training() -> Iterator[Case]:
    told: Mapping[str, tuple[str, dict[str, Any]]] = {
        "replace, T 1": ("replace", {}),
        "replace, T .9": ("replace", {"temperature": 0.9}),
        "replace, T .8": ("replace", {"temperature": 0.8}),
        "replace, top-p .9": ("replace", {"top_p": 0.9}),
        "replace, top-k 50": ("replace", {"top_k": 50}),
        "mixguard, T .8": ("mixguard", {"temperature": 0.8}),
        "guarded, T .8": ("guarded", {"temperature": 0.8}),
    }
    for name, (regime, decoding) in told.items():
        for draw in (0, 1):
            run = partial(first_generation, regime=regime, draw=draw, **decoding)
            yield Case(f"{name}, draw {draw}", run, healthy=False)


CASES = (*_healthy(), *_self_training())

Study = dict[str, dict[str, Any]]


def run_study(
    results: Path,
    *,
    seeds: Sequence[int] = SEEDS,
    only: Sequence[str] = (),
    scale: Scale | None = None,
    sources: Sources | None = None,
) -> Study:
    """Train what is not in the results yet.

    Args:
        results: JSON, written anew after each training.
        seeds: Of the example's models.
        only: Parts of the names of cases; all where empty.
        scale: How large everything is.
        sources: Texts and a model.
    """
    # PEFT 0.21 still reads a property of models that transformers 5.23 has renamed.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
    transformers.utils.logging.disable_progress_bar()
    sources = Sources() if sources is None else sources
    study: Study = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    chosen = [case for case in CASES if not only or any(part in case.name for part in only)]
    for case in list(chosen):
        missing = [need for need in case.needs if getattr(sources, need) is None]
        if missing:
            print(f"left out, as there is no {' and no '.join(missing)}: {case.name}", flush=True)
            chosen.remove(case)
    for seed in seeds:
        place = Place(seed, results.with_suffix(".state"), scale or Scale(), sources)
        for case in chosen:
            key = f"{case.name}, seed {seed}"
            if key in study or seed not in seeds[: case.most]:
                continue
            # What the trainings of a seed share is not counted to the first of them.
            _ = place.documentation
            began = time.process_time()
            for number, monitor in enumerate(case.run(place), start=1):
                record = monitor.record()
                name = case.name if number == 1 else f"{case.name} ({number})"
                known = {"name": case.name, "generation": number, "seed": seed}
                study[f"{name}, seed {seed}"] = {**known, "healthy": case.healthy, **record}
            study[key]["processor_seconds"] = round(time.process_time() - began, 1)
            write_atomically(results, json.dumps(study, indent=1) + "\n")
            fired = [f"{a['rule']} at {a['step']}" for a in study[key]["alarms"]]
            print(f"{key}: {study[key]['processor_seconds']} s, {fired or 'no alarm'}", flush=True)
    return study


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=inspect.getdoc(sys.modules[__name__]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", nargs="+", default=[], help="parts of the names of trainings")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    for name, variable in (("wikitext", "WIKITEXT"), ("shakespeare", "SHAKESPEARE")):
        given = os.environ.get(variable)
        parser.add_argument(f"--{name}", type=Path, default=Path(given) if given else None)
    folder = os.environ.get("SMOLLM2")
    parser.add_argument("--model", type=Path, default=Path(folder) if folder else None)
    options = parser.parse_args(arguments)
    sources = Sources(options.wikitext, options.shakespeare, options.model)
    study = run_study(options.results, seeds=options.seeds, only=options.only, sources=sources)
    for table in (healthy_table, self_training_table, rules_table):
        print(f"\n{table(study)}")


if __name__ == "__main__":
    main()
