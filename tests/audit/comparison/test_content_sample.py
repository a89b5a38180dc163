import numpy as np
import pytest

from collapse_guard.audit.comparison.content_sample import ContentSample
from collapse_guard.errors import ArgumentError


def texts(count: int, copies: int = 1) -> list[str]:
    return [f"text number {n} of them" for n in range(count) for _ in range(copies)]


def sampled(given: list[str], characters: int) -> ContentSample:
    sample = ContentSample(characters)
    sample.extend(given)
    return sample


def test_all_is_kept_where_there_is_room() -> None:
    sample = sampled(["b", "a", " ", "b"], 1_000)
    assert [(one.text, one.copies, one.rows) for one in sample.contents()] == [
        ("b", 2, [0, 3]),
        ("a", 1, [1]),
    ]
    assert (sample.rows, sample.empty, sample.share, sample.is_whole) == (4, 1, 1.0, True)


def test_a_sample_is_bounded_fair_and_has_all_copies() -> None:
    sample = sampled(texts(20_000, copies=3), 220 * 500)
    kept = list(sample.contents())
    assert 480 <= len(kept) <= 500
    assert {one.copies for one in kept} == {3}
    # The number of contents that the sample stands for, within what chance allows.
    assert len(kept) / sample.share == pytest.approx(20_000, rel=4 / np.sqrt(len(kept)))
    # As many of the first half of the texts as of the second.
    early = sum(one.rows[0] < 30_000 for one in kept)
    assert abs(early - len(kept) / 2) < 4 * np.sqrt(len(kept)) / 2


def test_order_makes_no_difference() -> None:
    given = texts(5_000)
    one, other = sampled(given, 50_000), sampled(given[::-1], 50_000)
    assert one.limit == other.limit
    assert {each.text for each in one.contents()} == {each.text for each in other.contents()}


def test_two_sources_keep_the_same_ones_of_what_they_share() -> None:
    common, own = texts(10_000), [f"another {n}" for n in range(30_000)]
    one, other = sampled(common, 100_000), sampled(common + own, 100_000)
    limit = min(one.limit, other.limit)
    of_other = {each.text for each in other.contents(limit=limit)} & set(common)
    assert of_other == {each.text for each in one.contents(limit=limit)}


def test_one_text_longer_than_all_room_is_kept() -> None:
    assert len(sampled(["a" * 10_000], 100)) == 1


def test_few_places_are_kept_of_many_copies() -> None:
    (one,) = sampled(["same"] * 1_000, 10_000).contents()
    assert (one.copies, len(one.rows)) == (1_000, 64)


@pytest.mark.parametrize("given", ["one text", [1, 2], None, {"text": ["a"]}])
def test_what_is_no_list_of_texts_is_refused_by_the_argument_s_name(given: object) -> None:
    with pytest.raises(ArgumentError, match="`human`"):
        ContentSample(1_000).extend(given, argument="human")  # type: ignore[arg-type]
