"""The study of alarms judges them rightly, and goes through in its short form."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from collapse_guard import HeldOutPanel, HumanReference
from collapse_guard.examples.recursive_finetune.presets import PRESETS
from tests.alarm_study import run_study
from tests.alarms.judged import HeldOut, JudgedMonitor
from tests.alarms.tables import healthy_table, rules_table, self_training_table
from tests.alarms.trainings import Place, Scale, Sources
from tests.tiny import BRIEF


class Short(NamedTuple):
    """The study's short form."""

    results: Path
    scale: Scale
    sources: Sources


SHARES = np.array([*[8.8] * 10, *[0.3] * 40])
RARE_HERE, RARE_THERE = range(10, 30), range(30, 50)


class Frequencies(torch.nn.Module):
    """Gives every token what it is told to, whatever stands before it."""

    def __init__(self, shares: np.ndarray) -> None:
        super().__init__()
        told = torch.tensor(shares, dtype=torch.float32)
        self.logits = torch.nn.Parameter((told / told.sum()).log())

    def forward(self, input_ids: torch.Tensor, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits.expand(*input_ids.shape, -1))


def without(types: range, *, kept: float) -> Frequencies:
    """A model that has lost a share of what some types had, to all others."""
    shares = SHARES.copy()
    shares[list(types)] *= kept
    return Frequencies(shares)


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    """Two panels whose rare types differ."""
    random = np.random.default_rng(0)

    # Rarer in the reference than in the panels: the model at the start beats its frequencies.
    reference = HumanReference(counts=np.array([*[100] * 10, *[2] * 40]))

    def documents(rare: range) -> list[list[int]]:
        common = random.integers(0, 10, (60, 64))
        return np.where(
            random.random((60, 64)) < 0.3, random.choice([*rare], (60, 64)), common
        ).tolist()

    here, there = (
        HeldOutPanel.from_token_ids(documents(rare), reference, window=32)
        for rare in (RARE_HERE, RARE_THERE)
    )
    return HeldOut(here, there)


@pytest.mark.parametrize(("lost_there", "right"), [(True, True), (False, False)])
def test_an_alarm_is_right_where_the_second_panel_has_lost_as_much(
    held_out: HeldOut, lost_there: bool, right: bool
) -> None:
    monitor = JudgedMonitor(held_out, every=2)
    monitor.start(Frequencies(SHARES))
    losing = without(range(10, 50) if lost_there else RARE_HERE, kept=0.5)
    for step in range(1, 5):
        monitor.observe(losing, step)
    monitor.finish(losing)
    record = monitor.record()
    alarm = next(a for a in record["alarms"] if a["rule"] == "tail_retention below 0.85")
    assert (alarm["step"], alarm["right"]) == (2, right)
    assert record["bare"] == 2
    # A model of frequencies loses the same wherever they stand.
    now, before = (m.logits.log_softmax(-1)[-1] for m in (losing, Frequencies(SHARES)))
    assert record["second"]["tail_retention"] == pytest.approx((now - before).exp().item(), 1e-4)
    assert [look["step"] for look in record["looks"]] == [0, 2, 4]


def test_the_judge_starts_where_the_monitor_does(held_out: HeldOut) -> None:
    """Rules wait until a model knows its domain; what it was before is no start for the judge."""
    monitor = JudgedMonitor(held_out, every=1)
    monitor.start(Frequencies(np.ones(50)))
    monitor.observe(Frequencies(SHARES), 1)
    monitor.observe(Frequencies(SHARES), 2)
    monitor.finish(Frequencies(SHARES))
    record = monitor.record()
    assert record["start"] == 1
    assert record["second"]["tail_retention"] == 1.0
    assert not record["alarms"]
    assert record["bare"] is None


def test_tables_count_what_was_found_missed_and_false() -> None:
    def record(tail: float, *steps: int, right: bool = True) -> dict[str, Any]:
        alarms = [
            {
                "rule": "tail_retention below 0.85",
                "step": step,
                "right": right,
                "second_value": tail,
            }
            for step in steps
        ]
        look = dict.fromkeys(("tail_retention", "head_retention", "tail_gap"), 1.0)
        return {
            "name": "replace, draw 0",
            "generation": 1,
            "seed": 1,
            "healthy": False,
            "steps": 24,
            "every": 2,
            "start": 0,
            "documents": 40,
            "alarms": alarms,
            "bare": None,
            "second_error": 0.02,
            "second": {"tail_retention": tail},
            "looks": [{"step": 0, "perplexity": 20.0, **look}, {"perplexity": 10.0, **look}],
        }

    lost = [record(0.6, 4, 20), record(0.7, 8), record(0.5, 2), record(0.84)]
    kept = [record(0.95), record(0.9, 12, right=False)]
    study = {str(number): each for number, each in enumerate([*lost, *kept])}
    cells = _cells(self_training_table(study))["replace"]
    assert cells[:1] == ["6"]
    # Lost, near the limit, found, missed, alarms though nothing was lost.
    assert cells[2:7] == ["4", "1", "3", "1", "1"]
    assert cells[7] == "6 (2 to 12)"
    assert _cells(rules_table(study))["`tail_retention below 0.85`"] == [
        *("4 of 6", "6 (2 to 12)", "3", "1")
    ]
    healthy = {"0": {**lost[0], "healthy": True}, "1": {**lost[3], "healthy": True, "seed": 2}}
    (row,) = _cells(healthy_table(healthy)).values()
    assert row[0] == "1, 2"
    assert row[3] == "20 to 10 (10)"
    assert row[-1] == (
        "seed 1: `tail_retention below 0.85` at 4 (second panel 0.60), "
        "`tail_retention below 0.85` at 20 (second panel 0.60)"
    )


def _cells(table: str) -> Mapping[str, list[str]]:
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Short:
    """Made-up words in place of text, and the smallest models."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    words = np.array(["".join(random.choice([*"aeioulmnrst"], 6)) for _ in range(400)])
    chances = 1 / np.arange(1, 401)

    def paragraph(length: int = 80) -> str:
        return " ".join(random.choice(words, length, p=chances / chances.sum()))

    wikitext = tmp_path / "wiki.txt"
    articles = (f" \n = {n} = \n \n {paragraph()} \n {paragraph()} \n" for n in range(40))
    wikitext.write_text("".join(articles), encoding="utf-8")
    modules = {f"module {n}": [paragraph(160)] for n in range(60)}
    example = dict(PRESETS["smoke"])
    del example["every_n_steps"]
    return Short(
        tmp_path / "study.json",
        Scale(example=example, windows=16, every=1, plain_every=2, domain_steps=4, sampling=BRIEF),
        Sources(wikitext=wikitext, documentation=modules),
    )


def test_the_short_form_goes_through_and_goes_on(
    short: Short, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {
        "seeds": [11],
        "only": ["own domain, LoRA, 1e-03", "WikiText, full", "Shakespeare, full", "human regime"],
        "scale": short.scale,
        "sources": short.sources,
    }
    run_study(short.results, **asked)
    assert "no shakespeare: Shakespeare, full" in capsys.readouterr().out
    asked["only"] += ["T .8, draw 0"]
    study = run_study(short.results, **asked)
    told = capsys.readouterr().out.splitlines()
    # What is there is not trained again.
    assert sum(line.endswith(("alarm", "]")) for line in told) == 3
    assert json.loads(short.results.read_text(encoding="utf-8")) == study
    names = {record["name"] for record in study.values()}
    assert len(names) == 6
    # The human regime has two generations, the second of which goes on from the first's start.
    first, second = (record for record in study.values() if "human" in record["name"])
    assert (first["generation"], second["generation"]) == (1, 2)
    assert second["start"] == 0
    for record in study.values():
        assert record["looks"][0]["step"] == 0 or record["generation"] == 2
        assert record["looks"][-1]["step"] == record["steps"] == record["second"]["step"]
    assert len(_cells(healthy_table(study))) == 4
    assert len(_cells(self_training_table(study))) == 4


def test_nothing_of_the_second_panel_is_looked_at_or_trained_on(short: Short) -> None:
    place = Place(11, short.results.with_suffix(".state"), short.scale, short.sources)
    held_out = place.documentation
    assert _windows(held_out.panel.input_ids).isdisjoint(_windows(held_out.second.input_ids))
    trained = {tuple(row[4:28]) for row in place.bench.human.rows.reshape(-1, 32).tolist()}
    stream = held_out.second.input_ids.tolist()
    pieces = {tuple(row[i : i + 24]) for row in stream for i in range(len(row) - 23)}
    assert trained.isdisjoint(pieces)


def _windows(ids: torch.Tensor) -> set[tuple[int, ...]]:
    return {tuple(row) for row in ids.tolist()}
