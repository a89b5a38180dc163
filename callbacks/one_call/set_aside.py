"""Human text to find a decoding with, which neither trains nor judges the model."""

import math
from collections.abc import Sequence

from collapse_guard.callbacks.one_call.held_out import HeldOutText, Ids
from collapse_guard.callbacks.one_call.parted import num_groups, parted
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.overlap import find_overlaps
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.repeats import LEAK_SHARE, shingle_length
from collapse_guard.spacing import evenly_spaced

ENOUGH = 100
"""Documents that tell most of what more would tell; at most half of the held-out text."""

_FEWEST = 4


def set_aside(held_out: HeldOutText) -> tuple[Sequence[Ids], HeldOutText]:
    """Set some of the held-out text aside, in whole groups and evenly over them.

    Args:
        held_out: The held-out text.

    Returns:
        About `ENOUGH` documents, or half of all where there are fewer than twice as many; and the
        rest, for the panel.

    Raises:
        ArgumentError: There are too few documents to be split.
    """
    groups, documents = num_groups(held_out), len(held_out.documents)
    if groups < _FEWEST:
        raise bad_argument(
            "held_out",
            expected=f"at least {_FEWEST} documents, of which some are set aside to find a "
            "decoding with",
            given=groups,
            hint="hold more out, or name the Decoding in place of finding it",
        )
    count = min(math.ceil(ENOUGH * groups / documents), groups // 2)
    taken, rest = parted(held_out, set(evenly_spaced(count, groups).tolist()))
    return taken.documents, rest


def apart_from(panel: HeldOutPanel, documents: Sequence[Ids]) -> Sequence[Ids]:
    """The documents that share no text with a panel: copies may stand in both parts of a text.

    Args:
        panel: What judges the run.
        documents: As token ids.
    """
    windows = list(panel.input_ids.numpy())
    shingle = min(shingle_length(panel.reference.entropy), panel.input_ids.shape[1])
    shares = find_overlaps(documents, windows, shingle=shingle)
    # A long document may hold a window, and be mostly other text.
    holders = {
        each.source
        for each in find_overlaps(windows, documents, shingle=shingle)
        if each.share >= LEAK_SHARE
    }
    return [
        ids
        for number, (ids, found) in enumerate(zip(documents, shares, strict=True))
        if found.share < LEAK_SHARE and number not in holders
    ]
