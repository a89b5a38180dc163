"""Every case three ways, for some seeds: results as JSON lines, and a table of them."""

import argparse
import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import transformers

from collapse_guard.atomic import write_atomically
from collapse_guard.examples.recursive_finetune.corpus import load_corpus
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.teacher_text.cases import Case, Cases
from collapse_guard.examples.teacher_text.people import looked_at, start_of, taught, variety
from collapse_guard.model.decoding import Decoding

WAYS = ("plain", "true", "found")
"""The plain loss; matched to how the rows were drawn; and to what was found, without knowing it."""


def run(arguments: Sequence[str] | None = None) -> Path:
    """Run what is not in the results yet.

    Args:
        arguments: The command line without the program's name; that of the process if None.

    Returns:
        The table, a Markdown file in the output folder, beside `results.jsonl`.
    """
    given = _parser().parse_args(arguments)
    _quieten()
    folder, processes = Path(given.output_dir), Processes(cpu=given.cpu)
    corpus = load_corpus(given.dataset)
    other = None if given.other is None else load_corpus(given.other)
    results = folder / "results.jsonl"
    for seed in given.seeds:
        cases = Cases(_settings(given, seed), corpus, other, folder / "models", processes)
        for name in given.cases or cases.names:
            done = {(r["seed"], r["case"], r["way"]) for r in read(results)}
            ways = [way for way in given.ways if (seed, name, way) not in done]
            if ways:
                for record in _ways(cases.case(name), ways, processes):
                    _add(results, {"seed": seed, "case": name, **record})
                    print(json.dumps({"seed": seed, "case": name, **record}), flush=True)
    page = folder / "table.md"
    write_atomically(page, table(read(results)))
    print(page.read_text(encoding="utf-8"))
    return page


def read(results: Path) -> list[dict[str, Any]]:
    """The records of a file of results; none where there is no such file."""
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def table(records: Iterable[Mapping[str, Any]]) -> str:
    """Means over seeds, ± the standard error over them where there are several.

    Args:
        records: As `run` writes them.

    Returns:
        A table in Markdown, a line for each case and way.
    """
    lines = [
        "| text | loss | decoding | perplexity (start) | tail retention | head retention | "
        "distinct-2 over the start's | seeds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        groups.setdefault((record["case"], record["way"]), []).append(record)
    for (case, way), group in groups.items():
        figures = [
            f"{_mean(group, 'perplexity', 1)} ({_mean(group, 'perplexity_at_start', 1)})",
            *(_mean(group, name, 2) for name in ("tail_retention", "head_retention", "variety")),
        ]
        told = "; ".join(dict.fromkeys(str(record["decoding"]) for record in group))
        lines.append(f"| {case} | {way} | {told} | {' | '.join(figures)} | {len(group)} |")
    return "\n".join(lines) + "\n"


def _ways(case: Case, ways: Sequence[str], processes: Processes) -> Iterable[dict[str, Any]]:
    student = case.student
    baseline = start_of(student, case.human, processes)
    start = student.model(processes)
    before = {
        "perplexity_at_start": looked_at(student, case.human, start, baseline)["perplexity"],
        "variety_at_start": variety(student, start, processes),
    }
    for way in ways:
        decoding = {"plain": None, "true": case.decoding, "found": "find"}[way]
        if way == "true" and decoding is None:
            continue
        held_out = case.human.held_out if way == "found" else None
        model, mix = taught(student, case.rows, decoding, processes, held_out=held_out)
        told = mix.source("synthetic").decoding
        if isinstance(told, dict):
            told = str(Decoding.from_dict({k: v for k, v in told.items() if k != "found_by"}))
        yield {
            "way": way,
            "decoding": told if way != "plain" else "",
            **before,
            **looked_at(student, case.human, model, baseline),
            "variety": variety(student, model, processes) / before["variety_at_start"],
        }


def _mean(group: Sequence[Mapping[str, Any]], name: str, digits: int) -> str:
    values = np.array([record[name] for record in group])
    if len(values) < 2:
        return f"{values.mean():.{digits}f}"
    error = values.std(ddof=1) / math.sqrt(len(values))
    return f"{values.mean():.{digits}f} ± {error:.{digits}f}"


def _add(results: Path, record: Mapping[str, Any]) -> None:
    before = results.read_text(encoding="utf-8") if results.exists() else ""
    write_atomically(results, before + json.dumps(record) + "\n")


def _settings(given: argparse.Namespace, seed: int) -> Settings:
    settings = Settings(seed=seed, cpu=given.cpu, generations=1)
    if not given.smoke:
        return settings
    return replace(
        settings, window=32, rows=32, vocab_size=512, hidden_size=32, num_layers=1, base_steps=30
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m collapse_guard.examples.teacher_text",
        description="A student learns from a teacher's text, plainly and with the sampler taken "
        "back: how it was drawn known, or found by the likelihood of some human text.",
    )
    parser.add_argument("--output-dir", default="runs/teacher_text", help="results; goes on here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of every random choice")
    parser.add_argument("--cases", nargs="+", help="names of cases; all where left out")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="which losses")
    parser.add_argument("--dataset", help="as of the recursive example")
    parser.add_argument("--other", help="a text file of another domain; its cases need it")
    parser.add_argument("--cpu", action="store_true", help="leave the GPU alone")
    parser.add_argument("--smoke", action="store_true", help="seconds; too small to show anything")
    return parser


def _quieten() -> None:
    # As in the recursive example.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
