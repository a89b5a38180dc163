"""The endless order of rows that one source gives, as a function of (seed, draw)."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.order.interleave import Interleave, Patterns
from collapse_guard.mixing.order.periods import locate_periods
from collapse_guard.mixing.order.permutation import derive_keys, permute
from collapse_guard.mixing.strata.strata import Strata

_TURNS_AT_A_TIME = 1 << 16


class RowOrder:
    """Rows of one source in an order that any process can compute for any draw.

    Each stratum has one seeded order of its n rows and goes round it for ever. Within an epoch its
    turns are shuffled afresh in stretches of a quarter of a round (n // 4 + 1 turns). So:

    * an epoch that takes D turns of a stratum shows each of its rows floor(D / n) or ceil(D / n)
      times, and the next epoch goes on where it stopped: after any number of epochs no row of the
      stratum is more than one showing ahead of another;
    * at least n / 2 turns of the stratum lie between two showings of a row: a turn is moved by
      at most n // 4 places, and unmoved showings are n apart;
    * the turns of the strata are spread as `Interleave` says.

    Args:
        strata: The rows.
        turns: Draws that each stratum gets in an epoch, at least 0, where all epochs are alike; or
            a list of these for each *era*: epochs in a row that are.
        key: The seed, and a number that tells this source from others of the same seed; whole
            numbers from 0.
        epochs: Number of epochs of each era but the last, which goes on for ever.
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
        by_era = np.atleast_2d(np.asarray(turns, dtype=np.int64))
        lengths = np.array(epochs, dtype=np.int64)
        first_epochs = np.concatenate([[0], np.cumsum(lengths)])
        # An era without draws holds none to look up; only its epochs count.
        drawn = np.flatnonzero(by_era.sum(axis=1))
        drawn = drawn if drawn.size else np.zeros(1, dtype=np.int64)
        before = by_era[:-1] * lengths[:, None]
        places = np.concatenate([np.zeros_like(by_era[:1]), np.cumsum(before, axis=0)])
        self._turns = by_era[drawn]
        self._draws_per_epoch = np.maximum(self._turns.sum(axis=1), 1)
        self._first_epochs = first_epochs[drawn]
        self._first_places = places[drawn]
        self._first_draws = places.sum(axis=1)[drawn]
        self._interleave = Interleave(self._turns)
        # A SeedSequence only hashes: it neither reads nor moves any generator.
        hashed = np.random.SeedSequence(key).generate_state(by_era.shape[1], np.uint64)
        self._keys = hashed.astype(np.uint64)

    @property
    def turns(self) -> list[list[int]]:
        """Draws of each stratum in an epoch, for each era that asks for any."""
        return [each for each in self._turns.tolist() if any(each)]

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
        eras, epochs, draws = self._positions(draws)
        strata, turns = self._interleave.locate(draws, eras)
        sizes = self.strata.sizes[strata]
        places = (
            self._first_places[eras, strata]
            + epochs * self._turns[eras, strata]
            + self._shuffled(eras, epochs, strata, turns)
        )
        # A stretch is at most a round long, so that shuffling never swaps two showings of a row.
        rounds, places = np.divmod(places, sizes)
        rows = self.strata.rows(strata, permute(places, sizes, self._keys[strata]))
        return rows, rounds == 0

    def exposures(self, draws: int, *, since: int = 0) -> list[Counter[int]]:
        """How often draws in a row show the rows of each stratum.

        Args:
            draws: Draws from `since` up to this number, which is not below it, are counted.
            since: The first draw of an epoch.

        Returns:
            For each stratum: how many rows were shown how many times, never-shown rows included.
        """
        starts = self._places_before(since)
        era, epoch, draw = (int(part) for part in self._positions(np.array(draws)))
        turns = self._interleave.counts_before(draw, era).tolist()
        return [
            self._stratum_exposures(era, epoch, stratum, turn, start)
            for stratum, (turn, start) in enumerate(zip(turns, starts, strict=True))
        ]

    def _positions(
        self, draws: npt.NDArray[np.int64]
    ) -> tuple[Patterns, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The era of each draw, its epoch within it, and its number within the epoch."""
        return locate_periods(draws, self._first_draws, self._draws_per_epoch)

    def _places_before(self, draw: int) -> list[int]:
        """The place at which each stratum goes on, for the first draw of an epoch."""
        era, epoch, _ = (int(part) for part in self._positions(np.array(draw)))
        places: list[int] = (self._first_places[era] + epoch * self._turns[era]).tolist()
        return places

    def _shuffled(
        self,
        eras: Patterns,
        epochs: npt.NDArray[np.int64],
        strata: npt.NDArray[np.int64],
        turns: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        """Each turn's place in its epoch, once its stretch of the epoch is shuffled."""
        stretch = self.strata.sizes[strata] // 4 + 1
        starts = turns - turns % stretch
        # The last stretch of an epoch is short: nothing may move into the next epoch.
        lengths = np.minimum(stretch, self._turns[eras, strata] - starts)
        keys = derive_keys(self._keys[strata], self._first_epochs[eras] + epochs, starts)
        return starts + permute(turns - starts, lengths, keys)

    def _stratum_exposures(
        self, era: int, epoch: int, stratum: int, turn: int, start: int
    ) -> Counter[int]:
        size = int(self.strata.sizes[stratum])
        if not size:
            return Counter()
        stretch = size // 4 + 1
        begun = turn % stretch
        # All turns up to the stretch that has begun fill places without a gap ...
        place = int(self._first_places[era, stratum]) + epoch * int(self._turns[era, stratum])
        rounds, ahead = divmod(place - start + turn - begun, size)
        # ... and of this stretch some are filled, which may lie beyond the round's end.
        beyond = self._filled_from(size - ahead, era, epoch, stratum, turn)
        counts = {
            rounds: size - ahead - (begun - beyond),
            rounds + 1: ahead - beyond + (begun - beyond),
            rounds + 2: beyond,
        }
        return Counter({times: rows for times, rows in counts.items() if rows})

    def _filled_from(self, place: int, era: int, epoch: int, stratum: int, turn: int) -> int:
        """How many of the turns before this one, in its stretch, fill that place or a later one."""
        stretch = int(self.strata.sizes[stratum]) // 4 + 1
        start = turn - turn % stretch
        if place >= min(stretch, int(self._turns[era, stratum]) - start):
            return 0
        filled = 0
        # In parts, because a quarter of the rows of a large source would be no small array.
        for first in range(start, turn, _TURNS_AT_A_TIME):
            turns = np.arange(first, min(first + _TURNS_AT_A_TIME, turn))
            places = self._shuffled(
                era, np.full(turns.size, epoch), np.full(turns.size, stratum), turns
            )
            filled += int(np.count_nonzero(places - start >= place))
        return filled
