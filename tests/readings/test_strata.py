"""Strata, against panels that hold nothing else."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, CollapseMonitor, HeldOutPanel, PanelError
from collapse_guard.alerts.strata_rules import strata_rules
from collapse_guard.readings.registry import READINGS
from collapse_guard.readings.strata import strata_readings
from tests.paces import Scripted
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

LABELS = ["en", "de", "de"] * 6


def panel_of(documents: list[list[int]], **arguments: Any) -> HeldOutPanel:
    return HeldOutPanel.from_token_ids(documents, tiny_reference(), window=32, **arguments)


def documents(count: int = 18) -> list[list[int]]:
    return zipf_documents(count, seed=2)


def looked_at(panel: HeldOutPanel, *kinds: Any) -> Any:
    model = tiny_gpt2()
    monitor = CollapseMonitor(panel, readings=["tail_retention", *kinds], sampling=BRIEF)
    monitor.start(model)
    perturb(model, 0.05)
    return monitor.look(model, 1)


def assert_alike(look: Any, name: str, alone: Any) -> None:
    assert look[name] == pytest.approx(alone["tail_retention"], rel=1e-6)
    error = alone.standard_errors["tail_retention"]
    assert look.standard_errors[name] == pytest.approx(error, rel=1e-5)
    assert look.units[name] == pytest.approx(alone.units["tail_retention"])


def test_each_stratum_reads_as_a_panel_of_its_own() -> None:
    look = looked_at(panel_of(documents()), *strata_readings(panel_of(documents()), LABELS))
    for label in ("en", "de"):
        own = [ids for ids, each in zip(documents(), LABELS, strict=True) if each == label]
        assert_alike(look, f"tail_retention_{label}", looked_at(panel_of(own)))
    assert look["tail_retention_en"] != look["tail_retention_de"]


def test_one_label_is_all_of_the_panel() -> None:
    panel = tiny_panel()
    (kind,) = strata_readings(panel, ["all"] * 12)
    look = looked_at(panel, kind)
    assert_alike(look, "tail_retention_all", look)


def test_small_looks_take_it_too() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    halves = strata_readings(panel, torch.arange(12) % 2)
    monitor = CollapseMonitor(
        panel,
        readings=[..., *halves, *strata_readings(panel, ["all"] * 12)],
        pace=Scripted(6),
        sampling=BRIEF,
    )
    monitor.start(model)
    perturb(model, 0.05)
    look = monitor.observe(model, 1)
    assert not look.is_full
    assert look["tail_retention_all"] == look["tail_retention"] != 1.0
    assert {"tail_retention_0", "tail_retention_1"} < set(look)
    # Over the documents that it has seen anything of.
    assert look.units["tail_retention_0"] < 6


def test_labels_are_those_of_the_documents_that_were_given() -> None:
    """Also where some are left out, and those of a group are put together."""
    given = [*documents(10), [1, 2, 3], *documents(), [4]]
    # Ten copies of the next ten, too short, ten that were there before and eight more.
    labels = [*["de"] * 10, "short", *["copies"] * 10, *["en"] * 8, "short"]
    panel = panel_of(given, short="drop", groups=["a", "b"] * 5 + list(range(20)))
    assert panel.num_documents == 2 + 8
    with pytest.raises(PanelError, match=r"'de' has tail tokens in 2 .* at least 3 more"):
        strata_readings(panel, labels)
    labels = [*["en"] * 10, "short", *["copies"] * 10, *["en"] * 8, "short"]
    with pytest.raises(PanelError, match=r"'short' has tail tokens in 0 independent"):
        strata_readings(panel, labels)
    labels = ["en" if label == "short" else label for label in labels]
    with pytest.raises(PanelError, match=r"'copies' has tail tokens in 0"):
        strata_readings(panel, labels)


def test_a_group_may_lie_in_two_strata() -> None:
    authors = np.arange(18) // 3
    panel = panel_of(documents(), groups=authors)
    kinds = strata_readings(panel, LABELS)
    assert [kind.cost for kind in kinds] == ["whole panel"] * 2
    look = looked_at(panel, *kinds)
    for label in ("en", "de"):
        inside = [place for place, each in enumerate(LABELS) if each == label]
        own = panel_of([documents()[place] for place in inside], groups=authors[inside])
        assert_alike(look, f"tail_retention_{label}", looked_at(own))
    # A stratum that shares no group is taken at each look all the same.
    apart = strata_readings(panel_of(documents(24)), ["en"] * 24)
    panel = panel_of(documents(24), groups=[*range(23), 0])
    kinds = strata_readings(panel, [*["en"] * 12, *["fr"] * 6, *["de"] * 6])
    assert [kind.cost for kind in (*kinds, *apart)] == [
        "whole panel",
        "each look",
        "whole panel",
        "each look",
    ]


def test_it_is_resumed() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    kinds = strata_readings(panel, ["a", "b"] * 6)
    arguments = {"readings": [..., *kinds], "rules": strata_rules(kinds, below=0.999)}
    monitor = CollapseMonitor(panel, sampling=BRIEF, **arguments)
    monitor.start(model)
    perturb(model, 0.3)
    monitor.look(model, 1)
    resumed = CollapseMonitor(panel, sampling=BRIEF, **arguments)
    resumed.load_state_dict(json.loads(json.dumps(monitor.state_dict())))
    assert resumed.look(model, 2) == monitor.look(model, 2)
    with pytest.raises(ArgumentError, match="the monitor's own panel"):
        CollapseMonitor(tiny_panel(window=20), readings=kinds, sampling=BRIEF).start(model)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["pt-BR", "日本"], ["pt_BR", "日本"]),
        ([("en", "news"), ("en", 7)], ["en_news", "en_7"]),
        (["x²", "EN"], ["x_", "EN"]),
    ],
)
def test_names_can_be_logged(labels: list[Any], names: list[str]) -> None:
    kinds = strata_readings(tiny_panel(), labels * 6)
    assert [kind.name for kind in kinds] == [f"tail_retention_{name}" for name in names]
    assert all(kind.meaning != READINGS["tail_retention"].meaning for kind in kinds)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["pt-BR", "pt_BR"] * 6, "'pt_BR', named tail_retention_pt_BR like 'pt-BR'"),
        (["vs_base", "x"] * 6, "'vs_base', named .* like 'a reading of the package'"),
        (["", "x"] * 6, "''"),
        (["x", None] * 6, "`labels` .*None for document 1.*other'"),
        (["x", "y"] * 5, "10 labels for a panel with document 11"),
        ("xy" * 6, "`labels`"),
    ],
)
def test_bad_labels(labels: Any, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        strata_readings(tiny_panel(), labels)


def test_small_strata_are_refused() -> None:
    with pytest.raises(PanelError, match=r"'b' has tail tokens in 4 .* at least 1 more of that"):
        strata_readings(tiny_panel(), ["a", "a", "b"] * 4)
