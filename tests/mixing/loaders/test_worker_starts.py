import pickle
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
