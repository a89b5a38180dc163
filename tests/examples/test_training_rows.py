"""From documents to the rows that a generation trains on."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard import HumanReference, MixGuard
from collapse_guard.errors import ArgumentError
from collapse_guard.examples.recursive_finetune.corpus import Corpus
from collapse_guard.examples.recursive_finetune.finetuning import mix_rows
from collapse_guard.examples.recursive_finetune.human_text import prepare_human_text
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.tokenization import (
    END_OF_TEXT,
    encode,
    rows_of,
    separator,
    train_tokenizer,
)

WORDS = ("the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "rug", "then", "red", "blue")


def text(seed: int, words: int = 60) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, words))


@given(
    st.lists(st.lists(st.integers(1, 9), max_size=7), max_size=6),
    st.integers(1, 5),
)
def test_rows_are_the_stream_cut(documents: list[list[int]], length: int) -> None:
    stream = [token for document in documents for token in (0, *document)]
    rows = rows_of(documents, length, separator=0)
    assert rows.ravel().tolist() == stream[: len(stream) // length * length]
    assert rows.shape[1] == length


def test_the_tokenizer_gives_back_what_it_takes() -> None:
    tokenizer = train_tokenizer([text(0)], 300)
    assert len(tokenizer) <= 300
    strange = "naïve café — 東京 🙂\n\ttabs"
    ids = encode(tokenizer, [strange, text(1)])
    assert tokenizer.batch_decode(ids) == [strange, text(1)]
    assert tokenizer.convert_ids_to_tokens(separator(tokenizer)) == END_OF_TEXT
    assert all(separator(tokenizer) not in document for document in ids)


def small_settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "generations": 2,
        "window": 8,
        "rows": 16,
        "batch_size": 8,
        "panel_windows": 10,
    }
    return Settings(**(values | changes))  # type: ignore[arg-type]


def human_rows(width: int) -> np.ndarray:
    """Rows without the token 2, a quarter of them rare."""
    return np.repeat([1, 1, 1, 3], 4)[:, None] * np.ones((1, width), dtype=np.int64)


def small_corpus() -> Corpus:
    return Corpus(
        "small",
        tuple(text(seed) for seed in range(10)),
        tuple(text(seed) for seed in range(10, 20)),
        tuple(text(seed) for seed in range(20, 26)),
    )


def test_every_fine_tuning_gets_fresh_human_rows() -> None:
    corpus, settings = small_corpus(), small_settings()
    tokenizer = train_tokenizer(corpus.pretraining, 280)
    human = prepare_human_text(settings, corpus, tokenizer)
    assert human.rows.shape == (3, 16, 8)
    stream = rows_of(encode(tokenizer, corpus.training), 8, separator(tokenizer))
    remaining = stream.tolist()
    for row in human.rows.reshape(-1, 8).tolist():
        # Fails if a row is handed out more often than it stands in the training text.
        remaining.remove(row)
    again = prepare_human_text(settings, corpus, tokenizer)
    assert np.array_equal(again.rows, human.rows)
    assert len(human.panel) == 10


def test_a_generation_writes_on_beginnings_of_rows_that_it_has_not_been_trained_on() -> None:
    corpus = small_corpus()
    tokenizer = train_tokenizer(corpus.pretraining, 280)
    plain, prompted = (
        prepare_human_text(small_settings(window=12, prompt=prompt), corpus, tokenizer)
        for prompt in (0, 4)
    )
    assert np.array_equal(plain.rows, prompted.rows)
    assert prompted.prompts.shape == (3, 16, 4)
    for writer in (0, 1):
        assert np.array_equal(prompted.prompts[writer], plain.rows[writer + 1, :, :4])
    remaining = rows_of(encode(tokenizer, corpus.training), 12, separator(tokenizer)).tolist()
    for row in prompted.rows.reshape(-1, 12).tolist():
        remaining.remove(row)
    # The last generation's too are of rows that nothing has been trained on, nor is found by.
    for prompt in prompted.prompts[2].tolist():
        remaining.remove(next(row for row in remaining if row[:4] == prompt))
    for row in prompted.held_out.tolist():
        remaining.remove(row)


def test_windows_are_spread_over_whole_articles() -> None:
    long, short = text(20, words=2_000), [text(seed, words=30) for seed in range(21, 30)]
    corpus = replace(small_corpus(), held_out=(long, *short))
    tokenizer = train_tokenizer(corpus.pretraining, 280)
    settings = small_settings(panel_windows=12)
    together = prepare_human_text(settings, corpus, tokenizer).panel
    spread = prepare_human_text(settings, replace(corpus, whole_articles=True), tokenizer).panel
    assert len(together) == len(spread) == 12
    assert together.num_documents < spread.num_documents == 10


def test_a_model_from_elsewhere_may_see_the_pretraining_part_too() -> None:
    corpus = small_corpus()
    tokenizer = train_tokenizer(corpus.pretraining, 280)
    own = rows_of(encode(tokenizer, corpus.training), 8, separator(tokenizer))
    at_home, elsewhere = (
        prepare_human_text(small_settings(model=model), corpus, tokenizer)
        for model in (None, "some/model")
    )
    assert at_home.num_rows + len(at_home.held_out) == len(own)
    assert elsewhere.num_rows + len(elsewhere.held_out) > 1.5 * len(own)


def test_human_rows_come_again_where_there_are_too_few() -> None:
    """Ten generations ask for more than there are: all come equally often, none twice in one."""
    corpus = small_corpus()
    tokenizer = train_tokenizer(corpus.pretraining, 280)
    stream = rows_of(encode(tokenizer, corpus.training), 16, separator(tokenizer))
    settings = small_settings(window=16, rows=len(stream) // 8 * 4, generations=7)
    human = prepare_human_text(settings, corpus, tokenizer)
    assert human.num_rows == len(stream) // 8 * 4
    assert len(human.held_out) == len(stream) - human.num_rows
    number_of = {tuple(row): number for number, row in enumerate(stream.tolist())}
    assert len(number_of) == len(stream)
    numbers = [[number_of[tuple(row)] for row in lesson] for lesson in human.rows.tolist()]
    assert all(len(set(lesson)) == len(lesson) for lesson in numbers)
    times = np.unique_counts(np.concatenate(numbers)).counts
    assert len(times) == human.num_rows
    assert times.max() - times.min() <= 1
    assert times.max() > 1
    unseen = {number_of[tuple(row)] for row in human.held_out.tolist()}
    assert not unseen & set(np.concatenate(numbers).tolist())


def test_a_generation_without_enough_human_rows_is_refused() -> None:
    corpus = small_corpus()
    tokenizer = train_tokenizer(corpus.pretraining, 280)
    with pytest.raises(ArgumentError, match="give more text"):
        prepare_human_text(small_settings(rows=80_000), corpus, tokenizer)


def mixed(regime: str, lesson: Lesson, settings: Settings) -> MixGuard:
    return mix_rows(REGIMES[regime].recipe(lesson, settings), settings, lesson.seed)


def test_a_matched_regime_marks_what_the_model_drew() -> None:
    settings = small_settings(temperature=0.5, top_k=20)
    human, synthetic = human_rows(8), np.full((16, 8), 2)
    reference = HumanReference.from_token_ids(human, vocab_size=4)
    lesson = Lesson(human, human, [synthetic], reference, seed=5)
    for regime, decodings in (("guarded", (settings.decoding,)), ("mixguard", ())):
        mix = mixed(regime, lesson, settings)
        assert mix.decodings == decodings
    plain, marked = (mixed(name, lesson, settings) for name in ("mixguard", "guarded"))
    for slot in range(len(plain)):
        assert (plain[slot]["input_ids"] == marked[slot]["input_ids"]).all()
        drawn = marked[slot]["labels"] >> 20
        assert (drawn == (plain[slot]["input_ids"] == 2)).all()


@pytest.mark.parametrize("regime", ["human", "replace", "mixguard", "guarded", "matched"])
def test_the_loss_is_on_what_follows_the_prompt(regime: str) -> None:
    settings = small_settings(window=12, prompt=3)
    human, synthetic = human_rows(12), np.full((16, 12), 2)
    reference = HumanReference.from_token_ids(human, vocab_size=4)
    lesson = Lesson(human, human, [synthetic], reference, seed=5)
    mix, before = (
        mixed(regime, lesson, chosen) for chosen in (settings, replace(settings, prompt=0))
    )
    is_matched = regime in ("guarded", "matched")
    for slot in range(len(mix)):
        row = mix[slot]
        assert row.keys() == {"input_ids", "labels"}
        assert (row["input_ids"] == before[slot]["input_ids"]).all()
        token = row["input_ids"][0]
        answer = token | 1 << 20 if is_matched and token == 2 else token
        assert row["labels"].tolist() == [-100] * 3 + [answer] * 9


@pytest.mark.parametrize(
    ("regime", "share"),
    [("human", 1.0), ("replace", 0.0), ("mixguard", 3 / 8), ("guarded", 3 / 8), ("matched", 0.0)],
)
def test_every_regime_trains_on_equally_many_rows(regime: str, share: float) -> None:
    settings = small_settings(passes=3)
    human, synthetic = human_rows(8), np.full((16, 8), 2)
    reference = HumanReference.from_token_ids(human, vocab_size=4)
    mix = mixed(regime, Lesson(human, human, [synthetic], reference, seed=5), settings)
    assert len(mix) == 48
    rows = np.stack([mix[slot]["input_ids"] for slot in range(len(mix))])
    assert (rows != 2).all(1).mean() == pytest.approx(share)
    assert (rows != 2).all(1).sum() + (rows == 2).all(1).sum() == 48
    assert mix.report().human_share == pytest.approx(share)
