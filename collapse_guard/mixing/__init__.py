"""Mixes human and synthetic rows under a floor of human rows that always holds.

The words used here, each with one meaning:

* a *slot* is one place of the mixed stream, a *block* is `block_size` slots in a row;
* an *epoch* is `length` slots: the stream covers `epochs` of them, one after another, and an *era*
  is epochs in a row that are alike;
* a *stage* is a part of the whole stream with one human floor; the slots that the floor asks for
  are the *floor's*, the others the *rest*;
* a *quota* is what a source may take of the stream; the slots are *split* among the sources;
* a *draw* is one row asked of a source; the draws of an epoch are split among its *strata*, and a
  *turn* is a draw of one stratum;
* a *round* is as many turns as the stratum has rows, in which each of them is shown once;
* a *pass* goes once through something from its first row to its last: a loader through the mixed
  stream, or the mixed stream through one of its sources;
* a *run* is a training run, with its resumed parts;
* a *pack* is whole rows of consecutive slots, end to end, each a *segment* of it;
* several readers of a `MixStream` are dealt *portions* of it, one each in a *deal*;
* a *lane* is every so many-th portion, with rows of its own, and its slots are numbered anew as
  *places*; a *shard* is a part of a source that can be read alone.
"""

from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.order.plan import Located
from collapse_guard.mixing.packing.pack_collator import PackCollator
from collapse_guard.mixing.packing.packed_mix import LocatedSegments, PackedMix, PackSegment
from collapse_guard.mixing.planning.outlook import MixOutlook
from collapse_guard.mixing.reports.croissant import croissant, write_croissant
from collapse_guard.mixing.reports.data_card import data_card, write_data_card
from collapse_guard.mixing.reports.report import MixReport
from collapse_guard.mixing.strata.boost import RareBoost
from collapse_guard.mixing.stream import MixStream
from collapse_guard.rows.collate import MixCollator
from collapse_guard.rows.source import Source

__all__ = [
    "Located",
    "LocatedSegments",
    "MixCollator",
    "MixGuard",
    "MixOutlook",
    "MixReport",
    "MixStream",
    "PackCollator",
    "PackSegment",
    "PackedMix",
    "RareBoost",
    "Source",
    "croissant",
    "data_card",
    "write_croissant",
    "write_data_card",
]
