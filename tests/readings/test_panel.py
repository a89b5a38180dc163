"""Whatever has what a panel has is one."""

import pytest

from collapse_guard import ArgumentError, HeldOutPanel, Panel
from collapse_guard.readings.panel import ScoresItself, check_panel
from tests.tiny import tiny_panel

MEMBERS = (
    *("input_ids", "document_ids", "positions", "tail_positions", "head_positions"),
    *("position_counts", "tail_types", "vocab_size", "num_documents", "fingerprint"),
)


class Copy:
    """What the package's own panel has, without being one."""

    def __init__(self, panel: Panel, without: str = "") -> None:
        for name in MEMBERS:
            if name != without:
                setattr(self, name, getattr(panel, name))
        self.length = len(panel)

    def __len__(self) -> int:
        return self.length


def test_the_package_s_own_has_it_all_and_so_has_its_copy() -> None:
    panel = tiny_panel()
    assert check_panel(panel) is panel
    copy = Copy(panel)
    assert check_panel(copy) is copy


@pytest.mark.parametrize("name", MEMBERS)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"a Copy without {name}"):
        check_panel(Copy(tiny_panel(), without=name))


class SelfScored(Copy):
    def log_probs(self, model, windows):
        raise NotImplementedError


@pytest.mark.parametrize("name", MEMBERS)
def test_one_that_scores_itself_needs_no_types(name: str) -> None:
    assert isinstance(SelfScored(tiny_panel()), ScoresItself)
    assert not isinstance(tiny_panel(), ScoresItself)
    panel = SelfScored(tiny_panel(), without=name)
    if name in ("input_ids", "tail_types", "vocab_size"):
        assert check_panel(panel) is panel
    else:
        with pytest.raises(ArgumentError, match=f"a SelfScored without {name}"):
            check_panel(panel)


@pytest.mark.parametrize("given", [None, "text", [1, 2], HeldOutPanel])
def test_what_is_no_panel_at_all_is_refused(given) -> None:
    with pytest.raises(ArgumentError, match="`panel` expected a HeldOutPanel"):
        check_panel(given)
