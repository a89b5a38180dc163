"""A whole run: the first model, a chain for each regime, and what is written about them."""

import warnings
from collections.abc import Callable
from pathlib import Path

import transformers

from collapse_guard.examples.recursive_finetune.base_model import prepare_base_model
from collapse_guard.examples.recursive_finetune.chain import Laboratory
from collapse_guard.examples.recursive_finetune.checkpoints import Checkpoints
from collapse_guard.examples.recursive_finetune.console import Console, generation_line
from collapse_guard.examples.recursive_finetune.corpus import Corpus, load_corpus
from collapse_guard.examples.recursive_finetune.findings import findings
from collapse_guard.examples.recursive_finetune.human_text import prepare_human_text
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.report import write_report
from collapse_guard.examples.recursive_finetune.results import (
    GenerationResult,
    RunResults,
    versions,
)
from collapse_guard.examples.recursive_finetune.settings import Settings


def run(settings: Settings) -> RunResults:
    """Run, or go on with, what the settings say, and write results, figure and report.

    Files in `output_dir`: `results.json` (rewritten after every generation), `collapse.png`,
    `report.html`, and the folder `state` with what a killed run needs to go on.

    Raises:
        ArgumentError: Settings that cannot work, or a folder of another experiment.
    """
    _quieten()
    processes = Processes(cpu=settings.cpu)
    with Console(
        generations=settings.generations,
        chains=len(settings.regimes),
        silent=not processes.is_main,
    ) as console:
        results = _run_chains(settings, processes, console)
    if processes.is_main:
        for path in write_report(results, Path(settings.output_dir)):
            console.say(f"Written: {path}")
        for finding in findings(results):
            console.say(f"- {finding}")
    processes.wait()
    return results


def prepare(settings: Settings) -> Laboratory:
    """All that chains need, in one process, silently: to train single generations."""
    _quieten()
    return _set_up(settings, Processes(cpu=settings.cpu), lambda _: None)[1]


def _set_up(
    settings: Settings, processes: Processes, say: Callable[[str], None]
) -> tuple[Corpus, Laboratory]:
    """The human text, and what trains on it."""
    checkpoints = Checkpoints(Path(settings.output_dir) / "state")
    processes.main_first(lambda: checkpoints.claim(settings.experiment()))
    corpus = load_corpus(
        settings.dataset, config=settings.dataset_config, column=settings.text_column
    )
    say(f"Human text: {corpus.name}, {sum(corpus.characters().values()):,} characters")
    base = prepare_base_model(settings, corpus, processes)
    say(f"Base model: {base.source}{' (was there already)' if base.from_cache else ''}")
    human = prepare_human_text(settings, corpus, base.tokenizer)
    needed = human.rows.shape[0] * human.rows.shape[1]
    if needed > human.num_rows:
        say(
            f"Human rows: {human.num_rows} for fine-tunings on {needed}, so that each comes "
            f"{needed / human.num_rows:.1f} times"
        )
    return corpus, Laboratory(settings, processes, base, human, checkpoints)


def _run_chains(settings: Settings, processes: Processes, console: Console) -> RunResults:
    corpus, laboratory = _set_up(settings, processes, console.say)
    console.say(generation_line("start", laboratory.start, settings.generations))
    chains: dict[str, list[GenerationResult]] = {}
    results = RunResults(
        {**settings.experiment(), "generations": settings.generations},
        versions(),
        {"name": corpus.name, "characters": corpus.characters()},
        chains,
    )
    for regime in settings.regimes:
        for history in laboratory.run_chain(regime):
            chains[regime] = history
            console.show(regime, history)
            if processes.is_main:
                results.save(Path(settings.output_dir) / "results.json")
    return results


def _quieten() -> None:
    # PEFT 0.21 still reads a property of models that transformers 5.23 has renamed.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
