"""What is tried: the usual samplers, and plain text always."""

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.finder.candidates import USUAL, checked_candidates
from collapse_guard.model.decoding import PLAIN, Decoding


def test_the_usual_ones_are_of_every_kind_and_each_is_another() -> None:
    assert 16 <= len(USUAL) <= 20
    assert len(set(USUAL)) == len(set(map(str, USUAL))) == len(USUAL)
    assert USUAL[0] == PLAIN
    temperatures = sorted(each.temperature for each in USUAL if not each.cuts)
    assert temperatures == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1]
    cut_alone = [each for each in USUAL if each.cuts and each.temperature == 1]
    assert {each.top_k for each in cut_alone} == {20, 50, 100, None}
    assert {each.top_p for each in cut_alone} == {0.8, 0.9, 0.95, None}
    assert {each.min_p for each in cut_alone} == {0.05, 0.1, None}
    assert any(each.cuts and each.temperature < 1 for each in USUAL)


def test_plain_text_comes_first_and_each_candidate_once() -> None:
    given = [Decoding(temperature=0.7), Decoding(min_p=0.0), PLAIN, Decoding(temperature=0.7)]
    assert checked_candidates(given) == [PLAIN, Decoding(temperature=0.7)]
    assert checked_candidates([PLAIN]) == [PLAIN]
    assert checked_candidates(None) == list(USUAL)


@pytest.mark.parametrize("given", [[], [0.8], ["T 0.8"]])
def test_what_is_no_candidate_is_refused(given: list[object]) -> None:
    with pytest.raises(ArgumentError, match="`candidates` expected at least one Decoding"):
        checked_candidates(given)


@pytest.mark.parametrize("greedy", [Decoding(top_k=1), Decoding(temperature=0.01)])
def test_a_greedy_candidate_is_refused_by_its_place(greedy: Decoding) -> None:
    with pytest.raises(ArgumentError, match=r"candidates\[1\]"):
        checked_candidates([Decoding(temperature=0.8), greedy])
