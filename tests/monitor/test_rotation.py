import json
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.monitor.rotation import MEMORY, Rotation
from collapse_guard.readings.panel_sums import BandSums
from tests.tiny import tiny_panel, tiny_reference, zipf_documents

PANEL = tiny_panel(documents=5)
"""5 documents of 3 windows."""


def band_sums(values: list[float]) -> BandSums:
    return BandSums(*(np.array(values) * factor for factor in (1.0, 2.0, 3.0)))


def look(rotation: Rotation, num_windows: int, value: float) -> list[int]:
    windows = rotation.next(num_windows)
    rotation.update(windows, band_sums([value] * num_windows))
    return windows.tolist()


def a_window_a_document(num_windows: int) -> HeldOutPanel:
    return tiny_panel(documents=num_windows, window=100)


def test_a_round_shows_every_window_once() -> None:
    rotation, shown = Rotation(PANEL), []
    for size in (1, 4, 2, 3, 5):
        shown += look(rotation, size, 0.0)
    assert sorted(shown) == list(range(len(PANEL)))
    assert shown != sorted(shown)
    # The next round has the same order, so that no window waits longer than a round.
    assert look(rotation, len(PANEL), 0.0) == shown


@given(sizes=st.lists(st.integers(1, 5), min_size=4, max_size=40))
def test_no_window_waits_longer_than_a_round(sizes: list[int]) -> None:
    rotation = Rotation(PANEL)
    shown = np.array([window for size in sizes for window in look(rotation, size, 0.0)])
    for first in range(len(shown) - len(PANEL) + 1):
        assert len(set(shown[first : first + len(PANEL)])) == len(PANEL)


def test_micro_panels_hold_as_many_documents_as_they_can() -> None:
    rotation, owners = Rotation(PANEL), PANEL.document_ids.numpy()
    for _ in range(3):
        windows = rotation.next(5)
        assert sorted(owners[windows]) == [0, 1, 2, 3, 4]
        rotation.update(windows, band_sums([0.0] * 5))


def test_asking_what_is_next_moves_nothing() -> None:
    rotation = Rotation(PANEL)
    assert rotation.next(4).tolist() == rotation.next(4).tolist()


@given(sizes=st.lists(st.integers(0, 5), max_size=30), full_every=st.integers(2, 9))
def test_windows_count_by_how_many_were_looked_at_since(sizes: list[int], full_every: int) -> None:
    rotation = Rotation(PANEL)
    diary: list[int] = []
    last: dict[int, float] = {}
    for value, size in enumerate(sizes):
        if value % full_every == 0:
            rotation.update_all(band_sums([float(value)] * len(PANEL)))
            diary += range(len(PANEL))
            last = dict.fromkeys(range(len(PANEL)), float(value))
        if size:
            windows = look(rotation, size, float(value))
            diary += windows
            last.update(dict.fromkeys(windows, float(value)))
    for window in range(len(PANEL)):
        # One look shows all its windows at the same time: none of them is younger than another.
        age = 0.0
        since = len(diary)
        rounds = looks_of(sizes, full_every)
        for count in reversed(rounds):
            since -= count
            if window in diary[since : since + count]:
                break
            age += count
        counts = np.exp(-age / (MEMORY * len(PANEL)))
        # What was last looked at with all the others tells nothing of what came after.
        seen_since = window in since_whole(sizes, full_every, diary)
        expected = pytest.approx(counts if seen_since else 0.0)
        assert rotation.freshness[window] == expected
        if window in last:
            assert rotation.latest.tail_logprob[window] == last[window]
            assert rotation.latest.head_logprob[window] == 3 * last[window]
    assert rotation.is_complete == bool(sizes)


def since_whole(sizes: list[int], full_every: int, diary: list[int]) -> list[int]:
    """The windows of the diary that were looked at after the last look at all of them."""
    last_full = (len(sizes) - 1) // full_every * full_every
    return diary[len(diary) - sum(sizes[last_full:]) :] if sizes else []


def looks_of(sizes: list[int], full_every: int) -> list[int]:
    """How many windows each look of the test above shows."""
    counts = []
    for value, size in enumerate(sizes):
        counts += [len(PANEL)] * (value % full_every == 0) + [size] * (size > 0)
    return counts


def test_a_full_look_begins_afresh_and_keeps_the_turn() -> None:
    rotation = Rotation(PANEL)
    shown = look(rotation, 4, 1.0)
    assert not rotation.is_complete
    turn = rotation.next(4).tolist()
    assert not set(turn) & set(shown)
    rotation.update_all(band_sums(list(range(len(PANEL)))))
    assert rotation.is_complete
    assert (rotation.freshness == 0).all()
    for sums in (rotation.whole, rotation.latest):
        assert sums.tail_prob.tolist() == [2.0 * window for window in range(len(PANEL))]
    assert rotation.next(4).tolist() == turn
    look(rotation, 4, 7.0)
    assert np.flatnonzero(rotation.freshness).tolist() == sorted(turn)
    assert rotation.whole.tail_logprob.tolist() == list(range(len(PANEL)))


def test_what_an_even_pace_is_worth_and_how_far_it_lags() -> None:
    windows = 400
    rotation = Rotation(a_window_a_document(windows))
    rotation.update_all(band_sums([0.0] * windows))
    # The model gives the number of the look: a reading that moves evenly.
    for number in range(1, 3 * windows + 1):
        look(rotation, 1, float(number))
    weights = rotation.freshness
    worth = weights.sum() ** 2 / (weights @ weights) / windows
    mean = weights @ rotation.latest.tail_logprob / weights.sum()
    lag = (3 * windows - mean) / windows
    assert worth == pytest.approx(0.48, abs=0.005)
    assert lag == pytest.approx(0.23, abs=0.005)


def test_state_goes_on_after_json() -> None:
    rotation = Rotation(PANEL)
    look(rotation, 4, 1.0)
    rotation.update_all(band_sums([2.0] * len(PANEL)))
    look(rotation, 3, 3.0)
    resumed = Rotation(PANEL)
    resumed.load_state_dict(json.loads(json.dumps(rotation.state_dict())))
    for _ in range(4):
        assert resumed.is_complete == rotation.is_complete
        assert resumed.freshness.tolist() == pytest.approx(rotation.freshness.tolist())
        assert resumed.latest.tail_prob.tolist() == rotation.latest.tail_prob.tolist()
        assert resumed.whole.tail_prob.tolist() == rotation.whole.tail_prob.tolist()
        assert look(resumed, 4, 5.0) == look(rotation, 4, 5.0)


def test_the_order_is_no_part_of_the_global_random_state() -> None:
    np.random.seed(0)
    torch.manual_seed(0)
    first = Rotation(PANEL).next(8).tolist()
    state = np.random.get_state()[1].tolist()
    np.random.seed(1)
    assert Rotation(PANEL).next(8).tolist() == first
    np.random.seed(0)
    assert np.random.get_state()[1].tolist() == state


def test_movement_is_that_of_the_windows_looked_at_since_as_far_as_they_are_fresh() -> None:
    rotation = Rotation(PANEL)
    rotation.update_all(band_sums([2.0] * len(PANEL)))
    assert rotation.moved() is None
    first = look(rotation, 4, 5.0)
    second = look(rotation, 3, 6.0)
    moved = rotation.moved()
    assert moved is not None
    expected = np.zeros(PANEL.num_documents)
    # The later of the two looks is as fresh as can be, and the first one older by its windows.
    older = np.exp(-3 / (MEMORY * len(PANEL)))
    for windows, by, counts in ((first, 3.0, older), (second, 4.0, 1.0)):
        for window in windows:
            expected[PANEL.document_ids[window]] += by * counts
    for name, factor in (("tail_logprob", 1.0), ("tail_prob", 2.0), ("head_logprob", 3.0)):
        assert getattr(moved, name).tolist() == pytest.approx((factor * expected).tolist())


def uneven(counts: list[int]) -> HeldOutPanel:
    """Documents of so many windows each."""
    documents = [ids[: 20 * count] for count, ids in zip(counts, zipf_documents(40), strict=False)]
    return HeldOutPanel.from_token_ids(documents, tiny_reference(), window=20)


@pytest.mark.parametrize("counts", [[3] * 5, [1, 2, 3, 4, 5] * 8])
def test_the_order_is_the_same_in_each_release(counts: list[int]) -> None:
    """A state holds the place in it, so that another order would show windows twice or never."""
    panel = uneven(counts)
    owners, shuffled = panel.document_ids.tolist(), np.random.default_rng(0).permutation(len(panel))
    rounds: list[list[int]] = [[] for _ in range(max(counts))]
    for window in shuffled.tolist():
        # How many of its document's windows come before it.
        nth = sum(owners[window] == owners[other] for each in rounds for other in each)
        rounds[nth].append(window)
    assert Rotation(panel).next(len(panel)).tolist() == list(chain(*rounds))
    assert [len(each) for each in rounds] == [
        sum(count > nth for count in counts) for nth in range(max(counts))
    ]


def test_a_state_before_the_first_look_goes_on() -> None:
    fresh, used = Rotation(PANEL), Rotation(PANEL)
    look(used, 4, 1.0)
    used.update_all(band_sums([2.0] * len(PANEL)))
    state = json.loads(json.dumps(fresh.state_dict()))
    used.load_state_dict(state)
    assert used.state_dict() == state
    assert look(used, 7, 1.0) == look(fresh, 7, 1.0)
    assert used.state_dict() == fresh.state_dict()


@pytest.mark.parametrize("cursor", [0, len(PANEL) - 1])
def test_a_state_may_stand_at_any_window(cursor: int) -> None:
    rotation, whole = Rotation(PANEL), Rotation(PANEL)
    whole.update_all(band_sums([2.0] * len(PANEL)))
    state = whole.state_dict() | {"cursor": cursor, "ages": [9] * len(PANEL), "age_of_whole": 9}
    rotation.load_state_dict(state)
    assert rotation.next(1).tolist() == [whole.next(len(PANEL)).tolist()[cursor]]
    assert rotation.state_dict() == state


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cursor": len(PANEL)}, "expected a whole number from 0 to 14"),
        ({"cursor": -1}, "expected a whole number from 0 to 14"),
        ({"ages": [0] * (len(PANEL) - 1)}, "expected a list of 15"),
        # No window was looked at before all of them were.
        ({"ages": [4] + [0] * (len(PANEL) - 1), "age_of_whole": 3}, "from 0 to 3, but got 4"),
        ({"age_of_whole": -1}, "expected a whole number from 0"),
        ({"is_complete": 1}, "expected true or false"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    wrong: dict[str, object], message: str
) -> None:
    rotation = Rotation(PANEL)
    look(rotation, 4, 1.0)
    before = rotation.state_dict()
    with pytest.raises(ArgumentError, match=message):
        rotation.load_state_dict(before | wrong)
    assert rotation.state_dict() == before
