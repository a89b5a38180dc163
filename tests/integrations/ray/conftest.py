"""Some tests of this folder have a cluster, one for all that follow each other."""

from collections.abc import Iterator

import pytest

from tests.integrations.ray.cluster import local_cluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[None]:
    with local_cluster():
        yield


@pytest.fixture(autouse=True)
def _cluster_where_it_is_asked_for(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("cluster"):
        request.getfixturevalue("cluster")
