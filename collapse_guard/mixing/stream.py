"""The endless stream of rows that one source gives, as a function of (seed, draw)."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.mixing.interleave import Interleave
from collapse_guard.mixing.permutation import derive_keys, permute
from collapse_guard.mixing.strata import Strata


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
        turns: Draws that each stratum gets in an epoch, at least 0; their sum at least 1.
        key: The seed, and a number that tells this source from others of the same seed; whole
            numbers from 0.
    """

    def __init__(self, strata: Strata, turns: Sequence[int], *, key: tuple[int, int]) -> None:
        self.strata = strata
        self.draws_per_epoch = sum(turns)
        self._turns = np.array(turns, dtype=np.int64)
        self._interleave = Interleave(turns)
        # A SeedSequence only hashes: it neither reads nor moves any generator.
        hashed = np.random.SeedSequence(key).generate_state(len(turns), np.uint64)
        self._keys = hashed.astype(np.uint64)

    def rows(self, draws: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The row that each draw shows.

        Args:
            draws: int64 of shape (n,), at least 0: the k-th row asked of this source, counted
                over all epochs.

        Returns:
            int64 of shape (n,): row numbers of the source.
        """
        epochs, draws = np.divmod(draws, self.draws_per_epoch)
        strata, turns = self._interleave.locate(draws)
        sizes = self.strata.sizes[strata]
        shuffled = self._shuffled(epochs, strata, turns)
        places = (epochs * self._turns[strata] + shuffled) % sizes
        return self.strata.rows(strata, permute(places, sizes, self._keys[strata]))

    def exposures(self, draws: int) -> list[Counter[int]]:
        """How often the first `draws` draws show the rows of each stratum.

        Args:
            draws: At least 0.

        Returns:
            For each stratum: how many rows were shown how many times, never-shown rows included.
        """
        epoch, draw = divmod(draws, self.draws_per_epoch)
        turns = self._interleave.counts_before(draw)
        return [self._stratum_exposures(epoch, s, int(turn)) for s, turn in enumerate(turns)]

    def _shuffled(
        self,
        epochs: npt.NDArray[np.int64],
        strata: npt.NDArray[np.int64],
        turns: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        """Each turn's place in its epoch, once its stretch of the epoch is shuffled."""
        stretch = self.strata.sizes[strata] // 4 + 1
        starts = turns - turns % stretch
        # The last stretch of an epoch is short: nothing may move into the next epoch.
        lengths = np.minimum(stretch, self._turns[strata] - starts)
        keys = derive_keys(self._keys[strata], epochs, starts)
        return starts + permute(turns - starts, lengths, keys)

    def _stratum_exposures(self, epoch: int, stratum: int, turn: int) -> Counter[int]:
        size = int(self.strata.sizes[stratum])
        stretch = size // 4 + 1
        begun = turn % stretch
        # All turns up to the stretch that has begun fill a run of places without a gap ...
        rounds, ahead = divmod(epoch * int(self._turns[stratum]) + turn - begun, size)
        # ... and of this stretch some are filled, which may lie beyond the round's end.
        latest = self._shuffled(
            np.full(begun, epoch), np.full(begun, stratum), np.arange(turn - begun, turn)
        )
        beyond = int(np.count_nonzero(latest - (turn - begun) + ahead >= size))
        counts = {
            rounds: size - ahead - (begun - beyond),
            rounds + 1: ahead - beyond + (begun - beyond),
            rounds + 2: beyond,
        }
        return Counter({times: rows for times, rows in counts.items() if rows})
