"""The steps to the plan of a stream whose floor counts tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.mixing.order.plan import MixPlan
from collapse_guard.mixing.order.token_counts import SLOTS_APART, TokenCounts, sums_of
from collapse_guard.mixing.quotas.drawn_rows import check_boosts
from collapse_guard.mixing.quotas.epoch_length import most_that_works
from collapse_guard.mixing.quotas.quota import Quota
from collapse_guard.mixing.quotas.split import Dry
from collapse_guard.mixing.sources import MixSources
from collapse_guard.mixing.strata.strata import Strata
from collapse_guard.mixing.tokens.drawn_tokens import DrawnTokens, mean_tokens
from collapse_guard.mixing.tokens.human_rows import CLOSE_ENOUGH, fewest_human_rows, first_guess
from collapse_guard.mixing.tokens.merge import MOST_TOKENS, merge
from collapse_guard.mixing.tokens.open_epochs import OpenEpochs
from collapse_guard.mixing.tokens.ranked_bits import RankedBits
from collapse_guard.mixing.tokens.settings import check_token_quotas, only_floor
from collapse_guard.mixing.tokens.token_slots import TokenSlots
from collapse_guard.rows.token_counts import Lengths, trained_tokens


def build_token_plan(
    mixed: MixSources,
    strata: Sequence[Strata],
    quotas: Sequence[Quota],
    *,
    lengths: Lengths | None,
    slots: int,
    block_size: int,
    epochs: int,
    seed: int,
) -> MixPlan:
    """The plan of a mixed stream whose floor counts trained tokens.

    How many rows of an epoch are human is decided first: about as few as hold the floor in the sum
    of each epoch. With that, all sources are drawn from as ever, so that exposures, strata and
    repeats are those of a floor of rows. `merge` then says in which slots the human rows stand, and
    proves what windows hold.

    Args:
        mixed: The sources and the human floor.
        strata: The rows of each source.
        quotas: Of all sources; their weights are shares of tokens.
        lengths: As of `MixGuard`.
        slots: Of an epoch.
        block_size: Slots of a block.
        epochs: Number of epochs.
        seed: A whole number from 0.

    Raises:
        ArgumentError: Rows have no known number of tokens, or none; the floor or a source says
            something that only rows can be counted for; or the rows of a source do not suffice.
    """
    floor = only_floor(mixed.stages)
    check_token_quotas(quotas)
    counts = tuple(trained_tokens(rows, lengths) for rows in mixed.rows)
    longest = max(int(each.max()) for each in counts)
    if longest * slots > MOST_TOKENS:
        raise bad_argument(
            "length",
            expected=f"an epoch of at most {MOST_TOKENS} trained tokens",
            given=f"{slots} slots of rows of up to {longest} tokens",
            hint="give shorter epochs, and more of them",
        )
    means = [mean_tokens(*each) for each in zip(quotas, strata, counts, strict=True)]
    by_tokens = [
        replace(quota, weight=quota.weight / mean)
        for quota, mean in zip(quotas, means, strict=True)
    ]
    made_of = OpenEpochs(by_tokens, strata, mixed.keys, counts, slots, epochs, seed)
    drawn = made_of.drawn(_human_rows(made_of, quotas, floor, block_size))
    stretches: list[npt.NDArray[np.int64]] = []
    check_boosts(quotas, drawn.orders)
    is_human = RankedBits(_merged_epochs(drawn, epochs, stretches))
    return MixPlan(
        slots=TokenSlots(is_human, drawn.draws, drawn.human, epochs=epochs, block_size=block_size),
        orders=drawn.orders,
        is_human=drawn.human,
        slots_per_epoch=slots,
        epochs=epochs,
        tokens=TokenCounts(counts, floor, longest, *sums_of(stretches)),
    )


def _human_rows(
    made_of: OpenEpochs, quotas: Sequence[Quota], floor: Fraction, block_size: int
) -> int:
    """Human rows of an epoch.

    Args:
        made_of: The epochs.
        quotas: With weights in tokens, as given.
        floor: Least share of the tokens that is human.
        block_size: Slots of a block.
    """
    human, synthetic = (
        _mean_of_kind(
            [
                (quota.weight, by_tokens.weight)
                for quota, by_tokens in zip(quotas, made_of.quotas, strict=True)
                if quota.is_human == kind
            ]
        )
        for kind in (True, False)
    )
    guess = first_guess(floor, made_of.slots, human=human, synthetic=synthetic)
    bounds = made_of.bounds()
    if isinstance(bounds, Dry):
        raise _too_long(made_of, bounds, floor, Fraction(guess, made_of.slots), block_size)
    least, most = bounds
    per_row = float(1 - floor) * human + float(floor) * synthetic
    rows = fewest_human_rows(
        lambda rows: made_of.ahead(rows, floor),
        guess=guess,
        per_row=per_row,
        least=least,
        most=most,
    )
    if rows is None:
        share = Fraction(max(guess, most + 1), made_of.slots)
        raise _too_long(made_of, _dry(made_of, most + 1), floor, share, block_size)
    if rows == least and guess < least:
        # As many human rows as it takes for synthetic ones to suffice: are they many more than the
        # floor needs?
        needed = rows - made_of.ahead(rows, floor) / per_row
        if needed < least - made_of.slots / CLOSE_ENOUGH:
            share = Fraction(guess, made_of.slots)
            raise _too_long(made_of, _dry(made_of, least - 1), floor, share, block_size)
    return rows


def _dry(made_of: OpenEpochs, human_rows: int) -> Dry:
    """The source whose rows do not suffice, for a number that lies beyond the bounds."""
    dry = made_of.split(human_rows)
    if not isinstance(dry, Dry):
        raise RuntimeError("sources allow other numbers of rows than they were said to")
    return dry


def _mean_of_kind(weights: Sequence[tuple[Fraction, Fraction]]) -> float:
    """Tokens of a row of one kind, from shares in tokens and in rows; 1 without a source."""
    tokens, rows = (sum(each) for each in zip(*weights, strict=True)) if weights else (0, 0)
    return float(tokens / rows) if rows else 1.0


def _merged_epochs(
    drawn: DrawnTokens, epochs: int, stretches: list[npt.NDArray[np.int64]]
) -> Iterator[npt.NDArray[np.bool_]]:
    """Which slots of each epoch are human; adds the tokens of each epoch's stretches to a list."""
    for epoch in range(epochs):
        human_sources, human_tokens = drawn.drawn(epoch, human=True)
        other_sources, other_tokens = drawn.drawn(epoch, human=False)
        is_human = merge(human_tokens, other_tokens)
        sources = np.empty(len(is_human), dtype=np.int16)
        tokens = np.empty(len(is_human), dtype=np.int64)
        sources[is_human], sources[~is_human] = human_sources, other_sources
        tokens[is_human], tokens[~is_human] = human_tokens, other_tokens
        starts = np.arange(0, len(is_human), SLOTS_APART)
        of_source = [
            np.add.reduceat(np.where(sources == source, tokens, 0), starts)
            for source in range(len(drawn.draws))
        ]
        stretches.append(np.stack(of_source, axis=1))
        yield is_human


def _too_long(
    made_of: OpenEpochs, dry: Dry, floor: Fraction, human_share: Fraction, block_size: int
) -> ArgumentError:
    quota = made_of.quotas[dry.source]

    def works(blocks: int) -> bool:
        slots = blocks * block_size
        return not isinstance(made_of.split(int(human_share * slots), slots), Dry)

    most = most_that_works(works, made_of.slots // block_size) * block_size
    return bad_argument(
        "length",
        expected=f"about {most} slots at most, so that none of the {quota.rows} rows in "
        f"`{quota.name}` is shown more than max_repeats={quota.max_repeats} times in an epoch",
        given=made_of.slots,
        hint=f"{dry.draws} of these slots are {quota.name}, for human rows to hold "
        f"{float(floor):g} of the trained tokens; give more {quota.name} rows, a smaller length, "
        "another human_fraction or a larger max_repeats",
    )
