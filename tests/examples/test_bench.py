"""The bench of mitigations: what it runs, what it compares, and what it writes."""

import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError, CollapseGuardError
from collapse_guard.examples.recursive_finetune.bench import figures, running, tables
from collapse_guard.examples.recursive_finetune.bench.__main__ import main
from collapse_guard.examples.recursive_finetune.bench.measures import (
    MEASURES,
    alarm_step,
)
from collapse_guard.examples.recursive_finetune.bench.running import Run, run_all, runs_of
from collapse_guard.examples.recursive_finetune.bench.studies import STUDIES, Study
from collapse_guard.examples.recursive_finetune.presets import parse
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.results import GenerationResult
from tests.examples.results import generation
from tests.examples.topics import topics
from tests.sizes import sized

VALUES = sized(short=(4.0,), long=(0.0, 4.0))


def chain(
    tail: float, head: float = 1.0, distinct: float = 0.5, **changed: Any
) -> list[GenerationResult]:
    start = replace(generation(0), distinct_2=0.5)
    readings = {**start.readings, "tail_retention": tail, "head_retention": head}
    last = replace(start, generation=1, readings=readings, distinct_2=distinct, **changed)
    return [start, last]


@pytest.mark.parametrize("name", STUDIES)
def test_every_run_of_a_study_can_be_started(name: str, tmp_path: Path) -> None:
    """Settings are checked before anything is trained, and runs of one value share all but that."""
    study = STUDIES[name]
    runs = runs_of(study, tmp_path, [3, 4], "laptop", {"generations": 2})
    assert len(runs) == 2 * len(study.values)
    assert len({run.folder for run in runs}) == len(runs)
    for run in runs:
        settings = parse(run.arguments)
        assert settings.seed == run.seed
        assert settings.regimes == list(study.regimes)
        if study.option is not None:
            assert getattr(settings, study.option) == run.value
        if "generations" not in study.settings:
            assert settings.generations == 2
        # At equal training tokens, whatever is varied.
        assert settings.rows * settings.passes == 384


def test_every_regime_is_ranked() -> None:
    assert {*STUDIES["ranking"].regimes, "recover"} == REGIMES.keys()


def test_a_regime_is_as_good_as_the_least_that_it_keeps() -> None:
    kept = MEASURES["kept"].of
    assert kept(chain(0.8, 0.9, 0.5)) == 0.8
    assert kept(chain(1.2, 0.9, 0.5)) == 0.9
    assert kept(chain(1.2, 1.1, 0.2)) == pytest.approx(0.4)
    assert kept(chain(1.2, 1.1, 0.6)) == 1.0


def test_human_tokens_are_counted_over_generations_after_the_start() -> None:
    one = chain(1.0, trained_tokens=100, human_tokens=30)
    two = [*one, replace(one[1], trained_tokens=300, human_tokens=10)]
    assert MEASURES["human"].of(two) == pytest.approx(0.1)
    assert math.isnan(MEASURES["human"].of(one[:1]))


def test_the_ranking_begins_with_what_keeps_most() -> None:
    alarmed = chain(0.5)
    chains = {
        "replace": [chain(0.5), chain(0.6)],
        "guarded": [chain(0.9), chain(1.0)],
        "mix": [chain(0.9), chain(0.8)],
    }
    assert math.isinf(alarm_step(alarmed))
    lines = tables.ranking(chains, {"mix": 1.1, "replace": 1.0}).splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == ["guarded", "mix", "replace"]
    assert "| 0.95 ± 0.64 |" in lines[2]
    assert lines[2].endswith("none, none | - |")
    assert lines[3].endswith("none, none | 1.10 |")
    assert len({line.count("|") for line in lines}) == 1


def test_a_sweep_has_a_line_for_each_value_and_regime() -> None:
    values = {value: {"replace": [chain(value)], "mix": [chain(value)]} for value in (0.1, 0.5)}
    lines = tables.sweep("human_fraction", values).splitlines()
    assert len(lines) == 2 + 4
    assert lines[2].startswith("| 0.1 | `replace` | 0.10 |")
    figure = figures.sweep("human_fraction", values)
    (line,) = [each for each in figure.axes[0].lines if each.get_label() == REGIMES["mix"].title]
    assert line.get_xdata().tolist() == [0.1, 0.5]
    assert line.get_ydata().tolist() == [0.1, 0.5]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0.1", "0.5"]


def test_a_course_has_a_line_for_each_generation_and_counts_human_tokens() -> None:
    start, last = chain(0.4, trained_tokens=100, human_tokens=30)
    chains = {"recover": [[start, last, replace(last, human_tokens=50)]] * 2}
    lines = tables.course(chains).splitlines()
    assert [line.split(" | ")[2] for line in lines[2:]] == ["0", "30", "80"]
    assert lines[3].startswith("| 1 | `recover` | 30 | 0.40 ± 0.00 | 0.40 ± 0.00 |")
    (line,) = figures.course(chains).axes[0].lines
    assert line.get_ydata().tolist() == [1.0, 0.4, 0.4]


def test_the_ranking_is_drawn_from_bottom_to_top() -> None:
    chains = {"replace": [chain(0.5), chain(0.6)], "mix": [chain(0.9), chain(0.8)]}
    axes = figures.ranking(chains).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [REGIMES[name].title for name in ("replace", "mix")]
    (points,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert points.get_xdata() == pytest.approx([0.55, 0.85])


def test_what_is_done_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def pretend(program: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        started.append(program[3:])
        return subprocess.CompletedProcess(program, int("--fail" in program))

    monkeypatch.setattr(running.subprocess, "run", pretend)
    good, bad = (Run(None, 0, tmp_path / name, [f"--{name}"]) for name in ("work", "fail"))
    with pytest.raises(CollapseGuardError, match=r"1 of 2 runs failed: see .*fail/log\.txt"):
        run_all([bad, good], processes=2)
    assert sorted(started) == [["--fail"], ["--work"]]
    run_all([good], processes=2)
    assert len(started) == 2
    # The same folder with other settings is another run.
    run_all([replace(good, arguments=["--other"])], processes=1)
    assert started[2:] == [["--other"]]


def test_a_study_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "human_fraction" in capsys.readouterr().err


def test_beams_are_refused_where_they_cannot_work() -> None:
    with pytest.raises(ArgumentError, match="a beam search from one start finds one text"):
        parse(["--beams", "5", "--regimes", "replace"])
    with pytest.raises(ArgumentError, match="`beams` expected 1 for guarded"):
        parse(["--beams", "5", "--prompt", "32"])
    assert parse(["--beams", "5", "--prompt", "32", "--regimes", "replace"]).beams == 5


@pytest.mark.slow
def test_a_study_of_one_file_is_run_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line in `STUDIES`: its runs, its table and its figure, and nothing is run twice."""
    text = tmp_path / "topics.txt"
    text.write_text("\n\n".join(topics()), encoding="utf-8")
    study = Study("Anchors", ("anchored",), "anchor", VALUES, {"dataset": text})
    known = dict(STUDIES)
    monkeypatch.setattr(
        "collapse_guard.examples.recursive_finetune.bench.__main__.STUDIES",
        {**known, "anchor": study},
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    arguments = ["anchor", "--preset", "smoke", "--generations", "1", "--seeds", "0"]
    main([*arguments, "--output", str(tmp_path)])
    table = (tmp_path / "anchor.md").read_text(encoding="utf-8")
    assert table in capsys.readouterr().out
    assert table.count("`anchored`") == len(VALUES)
    assert (tmp_path / "anchor.png").read_bytes().startswith(b"\x89PNG")
    logs = sorted(tmp_path.glob("anchor/*/seed_0/log.txt"))
    times = [log.stat().st_mtime_ns for log in logs]
    main([*arguments, "--output", str(tmp_path)])
    assert [log.stat().st_mtime_ns for log in logs] == times
    for log in logs:
        results = json.loads((log.parent / "results.json").read_text(encoding="utf-8"))
        assert results["configuration"]["anchor"] in VALUES
