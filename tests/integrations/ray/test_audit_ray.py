import os
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from collapse_guard.audit import audit_texts
from collapse_guard.errors import ArgumentError
from collapse_guard.integrations import audit_ray
from collapse_guard.integrations.ray.audit_ray import _Sampler, sample_ray
from tests.audit.comparison.languages import zipf_texts
from tests.integrations.ray.blocks_of import blocks_of

HUMAN = zipf_texts(1_200, seed=0)
COLD = [*zipf_texts(900, seed=1, temperature=0.7), *HUMAN[:40], *HUMAN[:20], ""]
ROOM = 100_000


@pytest.mark.cluster
@pytest.mark.slow
def test_a_cluster_says_bit_by_bit_what_one_machine_says() -> None:
    audit = audit_ray(
        blocks_of("text", HUMAN, [1, 300, 301, 900]),
        blocks_of("text", COLD, [500, 930]),
        characters=ROOM,
    )
    alone = audit_texts(HUMAN, COLD, characters=ROOM)
    assert alone.is_sampled
    assert audit.to_dict() == alone.to_dict()


class DiesOnce:
    """Kills the worker that it runs in, while this has a block, the first time that it is asked."""

    def __init__(self, marker: str) -> None:
        self._marker = marker

    def __call__(self, table: pa.Table) -> pa.Table:
        if table.column("text")[0].as_py() == HUMAN[600] and not os.path.exists(self._marker):
            Path(self._marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return table


@pytest.mark.cluster
@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    cuts = list(range(100, 1_200, 100))
    whole = sample_ray(blocks_of("text", HUMAN, cuts), characters=ROOM)
    marker = tmp_path / "died"
    dying = blocks_of("text", HUMAN, cuts).map_batches(
        DiesOnce,
        batch_size=None,
        batch_format="pyarrow",
        fn_constructor_kwargs={"marker": str(marker)},
    )
    survived = sample_ray(dying, column="text", characters=ROOM)
    assert marker.exists()
    assert survived.state_dict() == whole.state_dict()


def test_a_worker_that_has_seen_enough_hands_over_what_may_be_in_the_sample() -> None:
    sampler = _Sampler("text", ROOM)
    handed = [len(sampler(pa.table({"text": HUMAN}))["state"][0].as_py()) for _ in range(3)]
    # Of the same texts as many; of others far fewer than there are.
    assert handed[1] == pytest.approx(handed[0], rel=0.01)
    more = zipf_texts(1_200, seed=5)
    assert len(sampler(pa.table({"text": more}))["state"][0].as_py()) < 0.6 * handed[0]


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"human": HUMAN}, "`human` expected a ray.data.Dataset"),
        ({"synthetic": None}, "`synthetic` expected a ray.data.Dataset"),
        ({"column": "words"}, "`column` expected one of the columns"),
        ({"near": 0.1}, "`near`"),
        ({"characters": 5}, "`characters`"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(
    changed: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"human": blocks_of("text", HUMAN, [])}
    given = {**given, "synthetic": given["human"], **changed}
    with pytest.raises(ArgumentError, match=message):
        audit_ray(given.pop("human"), given.pop("synthetic"), **given)


@pytest.mark.cluster
@pytest.mark.slow
def test_token_ids_are_no_texts() -> None:
    ids = blocks_of("input_ids", [[1, 2, 3], [4]], [])
    with pytest.raises(ArgumentError, match="`column` expected a column of texts"):
        sample_ray(ids, column="input_ids")
