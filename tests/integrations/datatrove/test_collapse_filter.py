from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from datatrove.data import Document

from collapse_guard import ArgumentError, HumanReference
from collapse_guard.audit import EntropyRateBand, quality_weights, row_rarity
from collapse_guard.integrations import CollapseFilter, read_rejection
from tests.audit.comparison.languages import zipf_texts
from tests.hostile.targets.made import Words
from tests.integrations.datatrove.corpus import read, run, saved

TEXTS = zipf_texts(3_000, seed=0, words=12)
WORDS = Words()
REFERENCE = HumanReference.from_token_ids(
    [WORDS.encode(text) for text in TEXTS[:500]],
    vocab_size=len(WORDS.get_vocab()),
    tokenizer=WORDS,
)


def by_length(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """A detector that takes long texts for a machine's."""
    return np.array([min(len(text) / 200, 1.0) for text in texts])


def documents(texts: Sequence[str]) -> list[Document]:
    return [Document(text=text, id=str(n)) for n, text in enumerate(texts)]


def made(folder: Path, **settings: Any) -> CollapseFilter:
    usual = {"tokenizer": WORDS, "detector": by_length}
    return CollapseFilter(REFERENCE, str(folder), **{**usual, **settings})


def test_weights_and_rarity_are_those_of_rows_on_one_machine(tmp_path: Path) -> None:
    kept = list(made(tmp_path, drop=False, least=0.2, strength=2.0)(documents(TEXTS[:100])))
    rarity = row_rarity(TEXTS[:100], REFERENCE, tokenizer=WORDS)
    alone = quality_weights(by_length(TEXTS[:100]), rarity, least=0.2, strength=2.0)
    assert [one.metadata["collapse_weight"] for one in kept] == alone.weights.tolist()
    assert [one.metadata["collapse_rarity"] for one in kept] == rarity.tolist()
    assert read_rejection(str(tmp_path)).rate == pytest.approx(alone.rejection.rate, rel=1e-12)


def test_a_text_is_kept_with_its_weight_and_all_of_its_copies(tmp_path: Path) -> None:
    given = [*TEXTS, *TEXTS]
    kept = [document.text for document in made(tmp_path)(documents(given))]
    weights = 0.1 + 0.9 * (1 - by_length(TEXTS))
    error = np.sqrt((weights * (1 - weights)).sum())
    assert abs(len(set(kept)) - weights.sum()) < 4 * error
    assert sorted(kept) == sorted([*set(kept), *set(kept)])
    again = [document.text for document in made(tmp_path, batch_size=7)(documents(given))]
    assert again == kept
    other = [document.text for document in made(tmp_path, seed=1)(documents(given))]
    assert other != kept


def test_tasks_report_together_whom_the_filter_hits(tmp_path: Path) -> None:
    folder = saved(tmp_path / "texts", TEXTS, files=5)
    said = []
    for tasks in (1, 3):
        block = made(tmp_path / f"hit-{tasks}")
        run(folder, [block], tmp_path / f"logs-{tasks}", tasks=tasks)
        said.append(read_rejection(str(tmp_path / f"hit-{tasks}")).to_dict())
    assert said[0] == said[1]
    assert said[0]["rows"] == len(set(read(folder)))


def test_a_filter_that_eats_the_tail_is_told(tmp_path: Path) -> None:
    rarity = row_rarity(TEXTS, REFERENCE, tokenizer=WORDS)
    rare = {
        text for text, bits in zip(TEXTS, rarity, strict=True) if bits > np.quantile(rarity, 0.9)
    }

    def of_rare(texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return np.array([float(text in rare) for text in texts])

    list(made(tmp_path, detector=of_rare)(documents(TEXTS)))
    assert read_rejection(str(tmp_path)).eats_tail


def test_what_repeats_itself_is_left_out_and_why_is_told(tmp_path: Path) -> None:
    band = EntropyRateBand.of(TEXTS[:1_000], keep=0.99)
    block = made(tmp_path, detector=None, band=band)
    looping = Document(text="again and " * 30, id="loop")
    assert block.filter(looping) == (False, "entropy_rate")
    assert block.filter(Document(text=TEXTS[3], id="3")) is True


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"detector": None}, "`detector` expected a detector, or a band"),
        ({"detector": "a name"}, "`detector`"),
        ({"band": 0.9}, "`band`"),
        ({"least": 2.0}, "`least`"),
        ({"outside": -1.0}, "`outside`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"tokenizer": None}, "`tokenizer`"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        made(tmp_path, **changed)
