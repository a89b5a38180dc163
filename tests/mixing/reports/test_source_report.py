import numpy as np
import pytest

from collapse_guard.human_text.reference import HumanReference
from tests.mixing.reports.mixes import make_guard


def test_strata_are_reported_from_the_commonest_to_the_rarest(
    zipf_reference: HumanReference,
) -> None:
    guard = make_guard(zipf_reference)
    human = guard.report().source("human")
    is_human, _, rows, _ = guard.locate(range(len(guard)))
    times = np.bincount(rows[is_human], minlength=200)
    rarity = zipf_reference.self_information[np.arange(200) % 100].astype(np.float32)
    for stratum in human.strata:
        assert stratum.rarity is not None
        low, high = stratum.rarity
        members = times[(rarity >= low) & (rarity <= high)]
        assert (stratum.rows, stratum.shown) == (len(members), members.sum())
        assert (stratum.fewest, stratum.most) == (members.min(), members.max())
        assert stratum.mean == pytest.approx(members.mean())
