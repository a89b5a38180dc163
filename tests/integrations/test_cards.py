"""A section goes into a card and out again, and leaves the rest of it alone."""

from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, ModelCard

from collapse_guard import ArgumentError, CollapseMonitor
from collapse_guard.integrations.cards import add_data_section, add_model_section
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel

CARD = "---\nlicense: mit\ntags:\n- b\n- a\n---\n# Mine\n\nWords.\n"
SOURCE = {"name": "web", "kind": "human", "generation": 0, "licence": "mit", "decoding": None}
MIX = {"sources": [{**SOURCE, "shown": 8, "rows": 5}]}


def watched() -> CollapseMonitor:
    monitor, model = CollapseMonitor(tiny_panel(), sampling=BRIEF), tiny_gpt2()
    monitor.start(model)
    perturb(model, 0.1)
    monitor.look(model, 7)
    return monitor


def test_a_model_s_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    monitor, path = watched(), tmp_path / "README.md"
    path.write_text(CARD, encoding="utf-8")
    for _ in range(2):
        card = ModelCard.load(path)
        add_model_section(card, monitor, mix=MIX)
        card.save(path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(CARD.rstrip())
    assert text.count("## Collapse report") == text.count("collapse_guard begin") == 1
    value = monitor.history[-1]["tail_retention"]
    assert f"| tail_retention | 1 | {value:.4g} | " in text
    assert "| web | human |" in text
    assert ModelCard.load(path).data.to_dict() == ModelCard(CARD).data.to_dict()


def test_a_data_set_s_section(tmp_path: Path) -> None:
    card = DatasetCard(CARD)
    for _ in range(2):
        add_data_section(card, MIX)
    assert card.text.count("| web | human |") == 1
    assert "Words." in card.text


def test_what_has_not_looked_is_refused() -> None:
    with pytest.raises(ArgumentError, match="monitor"):
        add_model_section(ModelCard(CARD), CollapseMonitor(tiny_panel(), sampling=BRIEF))
    with pytest.raises(ArgumentError, match="card"):
        add_data_section(CARD, MIX)


@pytest.mark.parametrize("mix", ["nowhere", "x" * 5_000, Path()])
def test_a_ledger_that_is_not_there_is_told_by_name(tmp_path: Path, mix: object) -> None:
    with pytest.raises(ArgumentError, match="argument `mix` expected"):
        add_data_section(DatasetCard(CARD), tmp_path / mix if isinstance(mix, Path) else mix)
