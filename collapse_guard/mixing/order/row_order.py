"""The endless stream of rows that one source gives, as a function of (seed, draw)."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.interleave import Interleave, Patterns
from collapse_guard.mixing.order.periods import locate_periods
from collapse_guard.mixing.order.permutation import derive_keys, permute
from collapse_guard.mixing.strata.strata import Strata

_TURNS_AT_A_TIME = 1 << 16


class RowStream:
    """Rows of one source in an order that any process can compute for any draw.

    Each stratum has one seeded order of its n rows and goes round it for ever. Within an epoch its
    turns are shuffled afresh in stretches of a quarter of a round (n // 4 + 1 turns). So:

    * an epoch that takes D turns of a stratum shows each of its rows floor(D / n) or ceil(D / n)
      times, and the next epoch goes on where it stopped: after any number of epochs no row of the
      stratum is more than one showing ahead of another;
    * at least n / 2 turns of the stratum lie between two showings of a row: a turn is moved by
      at most n // 4 places, and unmoved showings are n apart;
    * the strata take turns as `Interleave` says.

    Args:
        strata: The rows.
        turns: Draws that each stratum gets in an epoch, at least 0, where all epochs are alike; or
            a list of these for each *run* of epochs that are.
        key: The seed, and a number that tells this source from others of the same seed; whole
            numbers from 0.
        epochs: Number of epochs of each run but the last, which goes on for ever.
    """

    def __init__(
        self,
        strata: Strata,
        turns: Sequence[int] | Sequence[Sequence[int]],
        *,
        key: tuple[int, int],
        epochs: Sequence[int] = (),
    ) -> None:
        self.strata = strata
        by_run = np.atleast_2d(np.asarray(turns, dtype=np.int64))
        lengths = np.array(epochs, dtype=np.int64)
        first_epochs = np.concatenate([[0], np.cumsum(lengths)])
        # A run without draws holds none to look up; only its epochs count.
        drawn = np.flatnonzero(by_run.sum(axis=1))
        drawn = drawn if drawn.size else np.zeros(1, dtype=np.int64)
        before = by_run[:-1] * lengths[:, None]
        places = np.concatenate([np.zeros_like(by_run[:1]), np.cumsum(before, axis=0)])
        self._turns = by_run[drawn]
        self._draws_per_epoch = np.maximum(self._turns.sum(axis=1), 1)
        self._first_epochs = first_epochs[drawn]
        self._first_places = places[drawn]
        self._first_draws = places.sum(axis=1)[drawn]
        self._interleave = Interleave(self._turns)
        # A SeedSequence only hashes: it neither reads nor moves any generator.
        hashed = np.random.SeedSequence(key).generate_state(by_run.shape[1], np.uint64)
        self._keys = hashed.astype(np.uint64)

    def rows(
        self, draws: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The row that each draw shows.

        Args:
            draws: int64 of shape (n,), at least 0: the k-th row asked of this source, counted
                over all epochs.

        Returns:
            int64 of shape (n,), row numbers of the source, and bool of shape (n,), whether no
            earlier draw shows the same row.
        """
        runs, epochs, draws = self._positions(draws)
        strata, turns = self._interleave.locate(draws, runs)
        sizes = self.strata.sizes[strata]
        places = (
            self._first_places[runs, strata]
            + epochs * self._turns[runs, strata]
            + self._shuffled(runs, epochs, strata, turns)
        )
        # A stretch is at most a round long, so that shuffling never swaps two showings of a row.
        rounds, places = np.divmod(places, sizes)
        rows = self.strata.rows(strata, permute(places, sizes, self._keys[strata]))
        return rows, rounds == 0

    def exposures(self, draws: int, *, since: int = 0) -> list[Counter[int]]:
        """How often a run of draws shows the rows of each stratum.

        Args:
            draws: Draws from `since` up to this number, which is not below it, are counted.
            since: The first draw of an epoch.

        Returns:
            For each stratum: how many rows were shown how many times, never-shown rows included.
        """
        starts = self._places_before(since)
        run, epoch, draw = (int(part) for part in self._positions(np.array(draws)))
        turns = self._interleave.counts_before(draw, run).tolist()
        return [
            self._stratum_exposures(run, epoch, stratum, turn, start)
            for stratum, (turn, start) in enumerate(zip(turns, starts, strict=True))
        ]

    def _positions(
        self, draws: npt.NDArray[np.int64]
    ) -> tuple[Patterns, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The run of each draw, its epoch within the run, and its number within the epoch."""
        return locate_periods(draws, self._first_draws, self._draws_per_epoch)

    def _places_before(self, draw: int) -> list[int]:
        """The place at which each stratum goes on, for the first draw of an epoch."""
        run, epoch, _ = (int(part) for part in self._positions(np.array(draw)))
        places: list[int] = (self._first_places[run] + epoch * self._turns[run]).tolist()
        return places

    def _shuffled(
        self,
        runs: Patterns,
        epochs: npt.NDArray[np.int64],
        strata: npt.NDArray[np.int64],
        turns: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        """Each turn's place in its epoch, once its stretch of the epoch is shuffled."""
        stretch = self.strata.sizes[strata] // 4 + 1
        starts = turns - turns % stretch
        # The last stretch of an epoch is short: nothing may move into the next epoch.
        lengths = np.minimum(stretch, self._turns[runs, strata] - starts)
        keys = derive_keys(self._keys[strata], self._first_epochs[runs] + epochs, starts)
        return starts + permute(turns - starts, lengths, keys)

    def _stratum_exposures(
        self, run: int, epoch: int, stratum: int, turn: int, start: int
    ) -> Counter[int]:
        size = int(self.strata.sizes[stratum])
        if not size:
            return Counter()
        stretch = size // 4 + 1
        begun = turn % stretch
        # All turns up to the stretch that has begun fill a run of places without a gap ...
        place = int(self._first_places[run, stratum]) + epoch * int(self._turns[run, stratum])
        rounds, ahead = divmod(place - start + turn - begun, size)
        # ... and of this stretch some are filled, which may lie beyond the round's end.
        beyond = self._filled_from(size - ahead, run, epoch, stratum, turn)
        counts = {
            rounds: size - ahead - (begun - beyond),
            rounds + 1: ahead - beyond + (begun - beyond),
            rounds + 2: beyond,
        }
        return Counter({times: rows for times, rows in counts.items() if rows})

    def _filled_from(self, place: int, run: int, epoch: int, stratum: int, turn: int) -> int:
        """How many of the turns before this one, in its stretch, fill that place or a later one."""
        stretch = int(self.strata.sizes[stratum]) // 4 + 1
        start = turn - turn % stretch
        if place >= min(stretch, int(self._turns[run, stratum]) - start):
            return 0
        filled = 0
        # In parts, because a quarter of the rows of a large source would be no small array.
        for first in range(start, turn, _TURNS_AT_A_TIME):
            turns = np.arange(first, min(first + _TURNS_AT_A_TIME, turn))
            places = self._shuffled(
                run, np.full(turns.size, epoch), np.full(turns.size, stratum), turns
            )
            filled += int(np.count_nonzero(places - start >= place))
        return filled
