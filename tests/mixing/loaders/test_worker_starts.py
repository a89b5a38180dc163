import pickle
from copy import copy
from unittest import mock

from collapse_guard.mixing.loaders import worker_starts
from collapse_guard.mixing.loaders.worker_starts import GoneOn, WorkerStarts


def test_a_copy_has_a_memory_of_its_own() -> None:
    starts = WorkerStarts()
    starts.enter(0, 5, 1)
    assert starts.enter(1, 6, 1) == []  # another process number: another loader
    with mock.patch.object(worker_starts, "_loader_number", return_value=9):
        starts.enter(0, 5, 1)
        copy = pickle.loads(pickle.dumps(starts))
        assert starts.enter(1, 6, 2) == [(0, 5, 1)]
        assert copy.enter(1, 6, 2) == []


def test_only_one_iteration_goes_on_from_a_state() -> None:
    state = GoneOn()
    assert state.claim()
    # The process that took it may ask again; a worker of another loader may not have it.
    assert state.claim()
    worker = mock.Mock(id=0)
    with mock.patch.object(worker_starts, "get_worker_info", return_value=worker):
        assert not state.claim()


def test_a_copy_that_shares_the_memory_sees_what_is_written_there() -> None:
    starts = WorkerStarts()
    shallow = copy(starts)
    with mock.patch.object(worker_starts, "_loader_number", return_value=9):
        starts.enter(0, 5, 1)
        assert shallow.enter(1, 6, 2) == [(0, 5, 1)]


def test_more_workers_than_there_is_room_for_see_nothing() -> None:
    starts = WorkerStarts()
    with mock.patch.object(worker_starts, "_loader_number", return_value=9):
        assert starts.enter(255, 5, 1) == []
        assert starts.enter(256, 6, 1) == []
        # The last that has a place is seen, and the one beyond has written nothing.
        assert starts.enter(0, 7, 1) == [(255, 5, 1)]
