"""Words that a model has lost, against a loop over the words of a panel."""

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from collapse_guard import ArgumentError, HeldOutPanel, HumanReference
from collapse_guard.human_text.words import Decode, decoder
from collapse_guard.readings.lost_words import LostWords, lost_words
from collapse_guard.readings.panel_words import panel_words
from tests.readings.test_rare_words import bytes_panel, bytes_tokenizer

PIECES = (
    *("<s>", " the", " cat", " ow", "l", " yak", " emu", ".", " \ufffd", "<script>", " </b>"),
)
START = -3.0


def decode(ids: object) -> str:
    return "".join(PIECES[number] for number in ids)  # type: ignore[attr-defined]


@cache
def panel() -> HeldOutPanel:
    human = [[1, 2, 7] * 30, [3, 4], [5], [6]]
    reference = HumanReference.from_token_ids(human, vocab_size=len(PIECES))
    rows = [
        [0, 1, 3, 4, 1, 5, 2, 7, 1],
        [0, 1, 6, 1, 3, 4, 2, 2, 7],
        [0, 9, 5, 10, 1, 2, 8, 6, 7],
    ]
    return HeldOutPanel.from_token_ids(rows, reference, window=9)


def given(**moved: float) -> npt.NDArray[np.float64]:
    """What each position is given, when the tokens of some pieces have moved by so much."""
    ids = panel().input_ids[panel().positions].tolist()
    return np.array([START + moved.get(PIECES[token].strip(), 0.0) for token in ids])


def lost(**moved: float) -> LostWords:
    return lost_words(panel(), decode, given(), given(**moved))


def test_all_tokens_of_a_word_count_and_its_places_are_averaged() -> None:
    found = lost(l=-1.0, ow=-0.5)
    (word,) = found.words
    assert (word.word, word.occurrences) == ("owl", 2)
    assert (word.start_logprob, word.end_logprob) == (-6.0, -7.5)
    assert word.kept == pytest.approx(math.exp(-1.5))
    assert (found.compared, found.halved, found.doubled) == (4, 1, 0)


def test_only_what_has_lost_half_is_lost_and_what_rose_as_much_is_counted() -> None:
    assert lost(yak=-0.69, emu=0.69).halved == lost(yak=-0.69, emu=0.69).doubled == 0
    found = lost(yak=-0.7, emu=0.7, the=-5.0)
    assert [word.word for word in found.words] == ["yak"]
    assert (found.compared, found.halved, found.doubled) == (4, 1, 1)


def test_words_of_several_places_come_first_and_are_told_by_what_is_left() -> None:
    found = lost(yak=-1.4, l=-1.3, emu=-1.0)
    assert [word.word for word in found.words] == ["yak", "owl", "emu"]
    some = lost_words(panel(), decode, given(), given(yak=-1.4, l=-1.3, emu=-1.0), most=2)
    # All of them stand in two places, so that the two that fell most are told.
    assert [word.word for word in some.words] == ["yak", "owl"]
    assert some.halved == 3
    one_place = given()
    at = np.flatnonzero(panel().input_ids[panel().positions].numpy() == 6)
    one_place[at[1]] -= 2.2
    # On average over two places it fell by 1.1, in one of them not at all.
    most = lost_words(panel(), decode, given(), one_place).words[0]
    assert most.end_logprob - most.start_logprob == pytest.approx(-1.1)
    # The place that is shown is the one where it fell.
    assert most.before == "<script> yak </b> the cat "


def test_a_word_is_shown_as_it_stands_with_what_stands_beside_it() -> None:
    (word,) = lost(l=-1.0).words
    assert (word.before, word.shown, word.after) == (" the ", "owl", " the yak cat. the")
    (word,) = lost(yak=-1.0).words
    # The first token of a window is no position, and may be no text.
    assert word.before in (" the owl the ", "<script> ")
    assert word.shown == "yak"


def test_a_decoder_that_writes_otherwise_in_between_is_read_piece_by_piece() -> None:
    def unlike(ids: object) -> str:
        return decode(ids).lstrip()

    (word,) = lost_words(panel(), unlike, given(), given(l=-1.0)).words
    assert (word.before, word.shown) == ("the ", "owl")

    def turned(ids: object) -> str:
        # Its text of more tokens does not begin with that of fewer.
        text = decode(ids)
        return f"{len(text)}:{text}" if len(list(ids)) > 2 else text  # type: ignore[call-overload]

    found = lost_words(panel(), turned, given(), given(l=-1.0)).words
    assert all(word.shown for word in found)


def test_nothing_shown_is_long() -> None:
    long = [*PIECES]
    long[5], long[1] = " " + "y" * 5000, " " + "t" * 5000

    def decode_long(ids: object) -> str:
        return "".join(long[number] for number in ids)  # type: ignore[attr-defined]

    (word,) = lost_words(panel(), decode_long, given(), given(yak=-1.0)).words
    assert max(map(len, (word.word, word.before, word.shown, word.after))) <= 80


def test_it_is_as_a_loop_has_it() -> None:
    real, spell = bytes_panel(), decoder(bytes_tokenizer())
    chance = np.random.default_rng(3)
    count = int(real.positions.sum())
    start = -chance.exponential(3.0, count)
    now = np.minimum(start + chance.normal(0.0, 0.6, count), 0.0)
    found = lost_words(real, spell, start, now, most=1000)
    grids = []
    for each in (start, now):
        grid = np.zeros(real.positions.shape)
        grid[real.positions.numpy()] = each
        grids.append(grid)
    falls: dict[str, list[float]] = {}
    for window, word in panel_words(real, spell):
        tokens = range(word.first, word.end)
        if any(real.tail_positions[window, token] for token in tokens):
            fall = sum(grids[1][window, token] - grids[0][window, token] for token in tokens)
            falls.setdefault(word.word, []).append(fall)
    means = {word: sum(own) / len(own) for word, own in falls.items()}
    halved = {word for word, by in means.items() if math.exp(by) < 0.5}
    assert halved
    assert {word.word for word in found.words} == halved
    assert found.compared == len(means)
    assert found.doubled == sum(math.exp(by) > 2 for by in means.values())
    for word in found.words:
        assert word.kept == pytest.approx(math.exp(means[word.word]))
        assert word.word in word.shown.lower()
    assert [word.kept for word in found.words] == sorted(word.kept for word in found.words)


def test_what_is_not_of_the_panel_is_refused() -> None:
    spell: Decode = decode
    for start, now, named in (
        (given()[1:], given(), "start_logprobs"),
        (given(), given()[1:], "logprobs"),
    ):
        with pytest.raises(ArgumentError, match=f"`{named}`"):
            lost_words(panel(), spell, start, now)
    with pytest.raises(ArgumentError, match="`most`"):
        lost_words(panel(), spell, given(), given(), most=-1)
