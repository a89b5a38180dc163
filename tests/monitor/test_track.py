"""A track tells what a run gave at any step that its looks reach, whatever it went through."""

import json
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError, CollapseGuardError
from collapse_guard.monitor.track import MOST_IN_STATE, MOST_LOOKS, Track
from collapse_guard.statistics.json_forms import LARGEST

PANEL = "0123456789abcdef"
WINDOWS = 3


def track_of(steps: list[int], *, seed: int = 0) -> Track:
    random, track = np.random.default_rng(seed), Track(PANEL)
    for step in steps:
        track.add(step, *(-100.0 * random.random((2, WINDOWS))))
    return track


def values(track: Track, step: int) -> np.ndarray:
    there = track.at(step)
    assert there is not None
    assert there.panel == track.panel
    return np.array([there.tail_logprob, there.head_logprob])


@given(steps=st.sets(st.integers(0, 60), min_size=1, max_size=12), step=st.integers(0, 80))
def test_between_looks_it_is_on_the_line_and_past_them_it_holds_for_a_while(
    steps: set[int], step: int
) -> None:
    known = sorted(steps)
    track, sums = Track(PANEL), np.random.default_rng(0).random((len(known), 2, WINDOWS))
    for each, (tail, head) in zip(known, sums, strict=True):
        track.add(each, tail, head)
    usual = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
    if not known[0] - usual <= step <= known[-1] + usual:
        assert track.at(step) is None
        return
    # `np.interp` holds the ends, as the track does within reach.
    expected = [[np.interp(step, known, sums[:, band, w]) for w in range(3)] for band in (0, 1)]
    np.testing.assert_allclose(values(track, step), expected, rtol=1e-12)
    if step in steps:
        np.testing.assert_array_equal(values(track, step), sums[known.index(step)])


def test_without_a_look_there_is_nothing(tmp_path: Path) -> None:
    assert Track(PANEL).at(0) is None
    with pytest.raises(CollapseGuardError, match="no track yet"):
        Track(PANEL).save(tmp_path / "track.npz")
    assert list(tmp_path.iterdir()) == []


def test_what_is_run_again_takes_the_place_of_what_was() -> None:
    track = track_of([0, 10, 20, 30])
    before = values(track, 10)
    track.add(20, np.full(WINDOWS, -1.0), np.full(WINDOWS, -2.0))
    assert track.steps == (0, 10, 20)
    np.testing.assert_array_equal(values(track, 10), before)
    np.testing.assert_array_equal(values(track, 20), [[-1.0] * WINDOWS, [-2.0] * WINDOWS])


def test_a_track_does_not_change_with_what_it_was_given() -> None:
    track, sums = Track(PANEL), np.zeros(WINDOWS)
    track.add(0, sums, sums)
    sums -= 5.0
    assert not values(track, 0).any()


@pytest.mark.parametrize("stretch", [1, 7])
def test_a_long_run_keeps_looks_evenly_and_both_ends(stretch: int) -> None:
    looks = 3 * MOST_LOOKS
    track = track_of([stretch * look for look in range(looks)])
    assert len(track.steps) == MOST_LOOKS
    assert (track.steps[0], track.steps[-1]) == (0, stretch * (looks - 1))
    gaps = np.diff(track.steps) / stretch
    assert 1 <= gaps.min() <= gaps.max() <= 4


@pytest.mark.parametrize("suffix", ["", ".npz"])
def test_a_file_brings_every_bit_back(tmp_path: Path, suffix: str) -> None:
    track = track_of([0, 3, 9])
    path = tmp_path / "runs" / f"human{suffix}"
    track.save(path)
    loaded = Track.load(path)
    assert (loaded.panel, loaded.steps, loaded.digest) == (PANEL, (0, 3, 9), track.digest)
    for step in range(10):
        np.testing.assert_array_equal(values(loaded, step), values(track, step))
    assert track_of([0, 3, 9], seed=1).digest != track.digest != track_of([0, 3, 8]).digest


def test_what_is_no_track_is_refused_by_its_path(tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    track_of([0, 1]).save(good)
    half, other, newer, short, bands, spoilt = (tmp_path / f"{name}.npz" for name in "honsbp")
    half.write_bytes(good.read_bytes()[:200])
    content = bytearray(good.read_bytes())
    content[70:80] = b"#" * 10
    spoilt.write_bytes(content)
    np.savez(other, counts=np.ones(3))
    steps, sums = np.arange(2), np.zeros((2, 2, WINDOWS))
    settings = {"format": 1, "panel": PANEL}
    np.savez(newer, settings=json.dumps({**settings, "format": 99}), steps=steps, sums=sums)
    np.savez(short, settings=json.dumps(settings), steps=steps, sums=sums[:1])
    np.savez(bands, settings=json.dumps(settings), steps=steps, sums=np.zeros((2, 3, WINDOWS)))
    empty, text = tmp_path / "empty", tmp_path / "text"
    empty.touch()
    text.write_text("tail: 0.9\n")
    files = (half, other, newer, short, bands, spoilt, empty, text)
    for path in (*files, tmp_path / "missing", tmp_path):
        with pytest.raises(ArgumentError, match=f"`control` expected a file.*'{path}'"):
            Track.load(path)


def test_a_state_is_small_and_brings_back_what_it_holds() -> None:
    short, long = track_of(list(range(0, 90, 3))), track_of(list(range(4 * MOST_IN_STATE)))
    for track in (short, long):
        state = json.loads(json.dumps(track.state_dict()))
        again = Track.from_state(PANEL, state)
        assert len(again.steps) == min(len(track.steps), MOST_IN_STATE)
        assert {*again.steps[:1], *again.steps[-1:]} <= {*track.steps[:1], *track.steps[-1:]}
        assert np.diff(again.steps).max() <= 5
        for step in again.steps:
            np.testing.assert_array_equal(values(again, step), values(track, step))
        # It goes on from there.
        again.add(1000, np.zeros(WINDOWS), np.zeros(WINDOWS))
        assert again.steps[-1] == 1000
    assert len(json.dumps(long.state_dict())) < MOST_IN_STATE * (WINDOWS * 22 + 20)


@pytest.mark.parametrize(
    ("tail", "head", "message"),
    [
        (np.zeros((2, WINDOWS)), np.zeros(WINDOWS), "`tail_logprob` expected a number for each"),
        (np.zeros(WINDOWS), 0.0, "`head_logprob` expected a number for each window"),
        (np.zeros(WINDOWS), np.zeros(WINDOWS + 1), "got '3 and 4 windows'"),
        (np.zeros(WINDOWS + 1), np.zeros(WINDOWS + 1), "got '4 and 4 windows'"),
    ],
)
def test_a_look_at_other_windows_is_refused_and_not_kept(
    tail: np.ndarray, head: object, message: str
) -> None:
    track = track_of([0, 5])
    with pytest.raises(ArgumentError, match=message):
        track.add(3, tail, head)
    assert track.steps == (0, 5)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        ("not base64!", " two numbers for each window, as base64 text, but"),
        # What a decoder would pass over.
        (
            b64encode(bytes(48)).decode() + "\n!",
            " two numbers for each window, as base64 text, but",
        ),
        # One byte too few, and an odd number of numbers.
        (b64encode(bytes(47)).decode(), "two numbers for each window, as base64 text"),
        (b64encode(bytes(40)).decode(), "two numbers for each window, as base64 text"),
        (b64encode(bytes(32)).decode(), "two numbers for each of 3 windows"),
        (b64encode(np.full(6, np.nan).tobytes()).decode(), "finite numbers"),
        (7, "expected text, but got 7"),
    ],
)
def test_sums_of_a_state_that_are_none_are_refused_by_their_place(
    packed: object, message: str
) -> None:
    state = track_of([0, 5]).state_dict()
    state["sums"][1] = packed
    with pytest.raises(ArgumentError, match=message) as caught:
        Track.from_state(PANEL, state)
    assert str(caught.value).startswith('argument `state["sums"][1]` expected ')


def test_whole_numbers_are_taken_and_saved_as_numbers(tmp_path: Path) -> None:
    track = Track(PANEL)
    track.add(0, [-1, -2, -3], [0, 0, -1])
    track.save(tmp_path / "track.npz")
    assert Track.load(tmp_path / "track.npz").digest == track.digest
    with pytest.raises(ArgumentError, match="`head_logprob` expected a number for each window"):
        track.add(1, [-1, -2, -3], ["a", "b", "c"])


@pytest.mark.parametrize(
    ("steps", "is_taken"),
    [
        ([7], True),
        ([0, 1], True),
        (list(range(MOST_LOOKS)), True),
        (list(range(MOST_LOOKS + 1)), False),
        ([], False),
        ([3, 3], False),
        ([3, 2], False),
    ],
    ids=lambda given: str(given)[:12],
)
def test_files_and_states_hold_as_many_looks_as_a_track_in_rising_order(
    steps: list[int], is_taken: bool, tmp_path: Path
) -> None:
    path, sums = tmp_path / "track.npz", -np.ones((len(steps), 2, WINDOWS))
    settings = json.dumps({"format": 1, "panel": PANEL})
    np.savez(path, settings=settings, steps=np.array(steps, np.int64), sums=sums)
    state = {"steps": steps, "sums": [b64encode(each.tobytes()).decode() for each in sums]}
    if is_taken:
        assert Track.load(path).steps == Track.from_state(PANEL, state).steps == tuple(steps)
        return
    with pytest.raises(ArgumentError, match="`control` expected a file"):
        Track.load(path)
    if not steps:
        # A run that has not been looked at has a state, and no file.
        assert Track.from_state(PANEL, state).steps == ()
        return
    told = rf'`state\["steps"\]` expected at most {MOST_LOOKS} steps in rising order, but got'
    with pytest.raises(ArgumentError, match=told):
        Track.from_state(PANEL, state)


@pytest.mark.parametrize(("sum_", "is_taken"), [(-LARGEST, True), (np.inf, False), (np.nan, False)])
def test_sums_are_finite_in_files_and_states(sum_: float, is_taken: bool, tmp_path: Path) -> None:
    path, sums = tmp_path / "track.npz", np.full((1, 2, WINDOWS), sum_)
    settings = json.dumps({"format": 1, "panel": PANEL})
    np.savez(path, settings=settings, steps=np.array([4]), sums=sums)
    state = {"steps": [4], "sums": [b64encode(sums.tobytes()).decode()]}
    if is_taken:
        assert Track.load(path).digest == Track.from_state(PANEL, state).digest
        return
    with pytest.raises(ArgumentError, match="`control` expected a file"):
        Track.load(path)
    with pytest.raises(ArgumentError, match=r'`state\["sums"\]\[0\]` expected finite numbers, but'):
        Track.from_state(PANEL, state)


def test_a_state_has_the_sums_of_each_step() -> None:
    state = track_of([0, 5]).state_dict()
    for sums in (state["sums"][:1], [*state["sums"], state["sums"][0]]):
        with pytest.raises(ArgumentError, match=r'`state\["sums"\]` expected a list of 2'):
            Track.from_state(PANEL, {**state, "sums": sums})
