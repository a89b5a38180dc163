"""Mixes human and synthetic rows under a floor of human rows that always holds.

The words used here, once:

* a *slot* is one place of the mixed stream, a *block* a run of `block_size` slots;
* an *epoch* is `length` slots: the stream covers `epochs` of them, one after another;
* a *stage* is a part of the whole stream with one human floor; the slots that the floor asks for
  are the *floor's*, the others the *rest*;
* a *draw* is one row asked of a source; the draws of an epoch are shared out among its *strata*,
  and a *turn* is a draw of one stratum;
* a *round* is a run of turns that shows every row of the stratum once.
"""

from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.order.plan import Located
from collapse_guard.mixing.reports.report import MixReport
from collapse_guard.mixing.stream import MixStream
from collapse_guard.rows.collate import MixCollator
from collapse_guard.rows.source import Source

__all__ = ["Located", "MixCollator", "MixGuard", "MixReport", "MixStream", "Source"]
