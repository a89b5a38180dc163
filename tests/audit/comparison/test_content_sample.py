import json
from functools import reduce

import numpy as np
import pytest
from hypothesis import given as drawn, strategies as st

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


PARTS = st.lists(
    # Few letters, so that contents come in several parts, and empty texts too.
    st.lists(st.text("ab ", max_size=6), max_size=12),
    min_size=1,
    max_size=6,
)


@drawn(parts=PARTS, room=st.integers(1, 4_000), data=st.data())
def test_samples_of_parts_merge_into_that_of_the_whole_in_whatever_order(
    parts: list[list[str]], room: int, data: st.DataObject
) -> None:
    whole = sampled([text for part in parts for text in part], room)
    samples = []
    limit = 2**64
    for number, part in enumerate(parts):
        # A part may leave out at once what another one has shown to be beyond the room.
        one = ContentSample(room, limit=data.draw(st.sampled_from([2**64, limit])))
        for text in part:
            one.extend([text], part=f"{number:03d}")
        one.extend([], part=f"{number:03d}")
        limit = min(limit, one.limit)
        samples.append(one)
    while len(samples) > 1:
        one, other = (
            samples.pop(data.draw(st.integers(0, len(samples) - 1))),
            samples.pop(data.draw(st.integers(0, len(samples) - 1))),
        )
        if data.draw(st.booleans()):
            samples.append(one.merge(other))
        else:
            one.take_in(other)
            samples.append(one)
    (merged,) = samples
    assert list(merged.contents()) == list(whole.contents())
    for what in ("rows", "empty", "characters_seen", "limit", "share", "is_whole"):
        assert getattr(merged, what) == getattr(whole, what)
    assert list(merged.rows_of.values()) == [len(part) for part in parts]


def test_merging_leaves_both_as_they_were() -> None:
    one, other = sampled(texts(500), 50_000), ContentSample(50_000)
    other.extend(texts(700), part="other")
    before = one.state_dict(), other.state_dict()
    one.merge(other)
    assert (one.state_dict(), other.state_dict()) == before


def test_few_places_are_kept_of_copies_in_many_parts_the_first_ones() -> None:
    parts = []
    for number in range(100):
        parts.append(ContentSample(10_000))
        parts[-1].extend(["same", f"own {number}"], part=f"{number:03d}")
    (same, *_) = reduce(ContentSample.merge, reversed(parts)).contents()
    assert (same.copies, same.rows) == (100, list(range(0, 128, 2)))


def test_a_part_counts_once() -> None:
    one, other = ContentSample(1_000), ContentSample(1_000)
    one.extend(["a"], part="web-3")
    other.extend(["b"], part="web-3")
    with pytest.raises(ArgumentError, match=r"no text counts twice, but got .*'web-3'"):
        one.merge(other)


def test_samples_of_other_rooms_do_not_merge() -> None:
    with pytest.raises(ArgumentError, match="a sample of 1000 characters, but got 'one of 999'"):
        ContentSample(1_000).merge(ContentSample(999))


def test_a_state_goes_through_a_file() -> None:
    sample = ContentSample(30_000)
    sample.extend([*texts(500), "a", "a", " "], part="b")
    sample.extend(["a", "of another part"], part="a")
    state = json.loads(json.dumps(sample.state_dict()))
    back = ContentSample.of_state(state)
    assert list(back.contents()) == list(sample.contents())
    assert back.state_dict() == state
    back.extend(texts(900), part="c")
    sample.extend(texts(900), part="c")
    assert back.state_dict() == sample.state_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kept": [["a", 1, [[0, 2]]]]}, r"kept.*whole number from 0 to 1"),
        ({"kept": [["a", 1, [[0, 1], [0, 0]]]]}, "rows upwards"),
        ({"kept": [["a", 1, []]]}, "rows upwards"),
        ({"kept": [["a", 0, [[0, 0]]]]}, "whole number from 1"),
        ({"kept": [["a", 1, [[0, 0]]], ["a", 1, [[0, 1]]]]}, "a text of the sample"),
        ({"kept": [["b", 1, [[0, 1]]], ["a" * 2_000, 1, [[0, 0]]]]}, "room"),
        ({"limit": 1}, "a text of the sample"),
        ({"empty": 3}, "at most 2"),
    ],
)
def test_a_state_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    state = sampled(["a", "b"], 1_000).state_dict()
    with pytest.raises(ArgumentError, match=message):
        ContentSample.of_state({**state, **change})
