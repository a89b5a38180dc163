"""A monitor takes the readings that it is asked for, and can have, in that order."""

import pytest

from collapse_guard import ArgumentError, ReadingKind
from collapse_guard.readings.choice import HOW_TO_GIVE, choose_readings
from collapse_guard.readings.registry import READINGS, reading_names

MINE = ReadingKind("mine", "of mine", lambda evidence: 0.0)


def names(wanted, *given) -> list[str]:
    return [kind.name for kind in choose_readings(wanted, given)]


@pytest.mark.parametrize("needs", HOW_TO_GIVE)
def test_all_that_can_be_had_follow_from_what_is_given(needs) -> None:
    assert names([...]) == list(reading_names())
    assert set(names([...], needs)) == {*reading_names(), *reading_names(needs=needs)}
    assert names([...], *HOW_TO_GIVE) == list(READINGS)


def test_the_order_is_the_asker_s() -> None:
    assert names(["tail_gap", MINE, "perplexity"]) == ["tail_gap", "mine", "perplexity"]
    assert names([MINE, ...]) == ["mine", *reading_names()]


def test_the_package_vouches_for_its_own_alone() -> None:
    stranger = ReadingKind("stranger", "of somebody", lambda evidence: 0.0, agrees=True)
    chosen = choose_readings(["perplexity", stranger, READINGS["tail_prob"]], ())
    assert [kind.agrees for kind in chosen] == [True, False, False]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "at least one reading"),
        ([MINE, MINE], r"but got \['mine'"),
        ([..., "perplexity"], r"but got \['perplexity'"),
        (["tail_size"], "names among"),
        ([3], "names among"),
        ("perplexity", "a list of readings"),
        (None, "a list of readings"),
        *(
            (reading_names(needs=needs)[:1], f"without `{needs}`.*{needs}=")
            for needs in HOW_TO_GIVE
        ),
    ],
)
def test_what_cannot_be_had_is_refused(wanted, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        choose_readings(wanted, ())


def test_without_a_distribution_over_types_what_is_of_one_is_left_out_or_refused() -> None:
    left = {kind.name for kind in choose_readings([...], HOW_TO_GIVE, of_types=False)}
    assert left == {name for name, kind in READINGS.items() if not kind.of_types}
    assert {"perplexity", "tail_gap", "tail_gap_vs_base", "tail_gap_prequential"} <= left
    mine = ReadingKind("mine", "a reading of written text", lambda evidence: 0.0, of_types=True)
    for each in ("predictive_entropy", "free_self_bleu", mine):
        with pytest.raises(ArgumentError, match="since the panel scores itself"):
            choose_readings([..., each], HOW_TO_GIVE, of_types=False)
