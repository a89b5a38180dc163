"""The code of the front page and of docs/, run as it stands there."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from collapse_guard import HeldOutPanel, HumanReference, MixGuard
from tests.callbacks.lightning.runs import QUIET, LanguageModule
from tests.docs.pages import DOCS, README, code_blocks, name_of
from tests.docs.user import run_blocks, texts, what_a_user_has
from tests.integrations.ray.cluster import local_cluster


class Tracker:
    def __init__(self) -> None:
        self.records: list[tuple[dict[str, float], int]] = []

    def log(self, record: dict[str, float], step: int) -> None:
        self.records.append((record, step))


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    # What a page writes without saying where.
    monkeypatch.chdir(tmp_path)
    answers = [{"prompt": text[:20], "answer": text[20:80]} for text in texts(48, seed=6)]
    lines = "".join(json.dumps(answer) + "\n" for answer in answers)
    (tmp_path / "answers.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "web").mkdir()
    for number in range(3):
        said = (json.dumps({"text": text}) + "\n" for text in texts(12, seed=7 + number))
        (tmp_path / "web" / f"{number}.jsonl").write_text("".join(said), encoding="utf-8")
    return what_a_user_has(tmp_path)


@pytest.fixture
def reader(user: dict[str, Any]) -> dict[str, Any]:
    """What somebody has who comes from the front page to a page of docs/."""
    tokenizer, human = user["tokenizer"], user["human_train"]
    reference = HumanReference.from_dataset(human, vocab_size=len(tokenizer), tokenizer=tokenizer)
    ids = torch.tensor(human["input_ids"][:16])
    return {
        **user,
        "reference": reference,
        "panel": HeldOutPanel.from_texts(
            user["held_out_texts"], tokenizer, reference, window=128, short="drop"
        ),
        "mixed": MixGuard(human, user["synthetic_train"], human_fraction=0.3, block_size=8),
        "loader": torch.utils.data.DataLoader(ids, batch_size=4),
        "train_on": lambda batch: None,
        "tracker": Tracker(),
        "module": LanguageModule(user["model"]),
        "books": human.select(range(64)),
        "human_rows": texts(128, seed=4),
        "synthetic_texts": texts(64, seed=5),
    }


@pytest.fixture(autouse=True)
def llama_factory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands where LLaMA-Factory stands, whose function makes a trainer and trains it at once."""
    tuner = ModuleType("llamafactory.train.tuner")

    def run_exp(args: dict[str, Any] | None = None, callbacks: list[Any] | None = None) -> None:
        made = request.getfixturevalue("reader")["trainer"]
        type(made)(
            made.model,
            made.args,
            train_dataset=made.train_dataset,
            data_collator=made.data_collator,
            processing_class=made.processing_class,
            callbacks=callbacks,
        ).train()

    tuner.run_exp = run_exp  # type: ignore[attr-defined]
    for name in ("llamafactory", "llamafactory.train"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, tuner.__name__, tuner)


def test_the_front_page_runs(user: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    watched = user["trainer"]
    run_blocks(README, user)
    logged = [set(record) for record in watched.state.log_history]
    assert any("eval_collapse/tail_retention" in record for record in logged)
    told = capsys.readouterr().out
    assert "collapse_guard watches" in told
    assert "% human" in told


@pytest.mark.filterwarnings(
    *(mark.args[0] for mark in QUIET),
    # Which logger it takes where none is given.
    "ignore:Starting from v1.9.0",
)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.cluster] if page.stem == "scale" else [])
        for page in DOCS
    ],
    ids=name_of,
)
def test_each_page_runs(
    page: Path, reader: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with local_cluster() if page.stem == "scale" else nullcontext():
        run_blocks(page, reader)
    if page.stem == "frameworks":
        assert "collapse_guard watches" in capsys.readouterr().out
    if page.stem == "watching":
        assert reader["tracker"].records
        assert reader["resumed"].latest


def test_the_front_page_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= 900


def test_it_has_one_quick_start_each_of_ten_lines_at_most() -> None:
    blocks = code_blocks(README)
    assert len(blocks) == 2
    for block in blocks:
        assert len([line for line in block.splitlines() if line.strip()]) <= 10
