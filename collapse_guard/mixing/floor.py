"""The human floor over a run: one share, the golden one, stages, or a function of progress."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any

from collapse_guard.arguments import share, understood
from collapse_guard.errors import bad_argument

Stages = tuple[tuple[Fraction, Fraction], ...]
HumanFraction = (
    float | Fraction | str | Sequence[tuple[float, float]] | Callable[[float], float | Fraction]
)

# More than a warm-up or a few dozen refreshes need, and few enough to make nothing of.
_STAGES_OF_A_FUNCTION = 1000
_HINT = "give the share of human rows, e.g. 0.3"


def human_stages(human_fraction: Any) -> Stages:
    """The stages of a human floor: pairs of where each ends and its share, both from 0 to 1.

    Args:
        human_fraction: One share; a list of pairs `(until, share)`, in which `until` rises to 1;
            or a function from progress to share. The function is called at the ends of 1000 equal
            parts of the run, and each part has the larger share of its two ends: one that rises or
            falls within a part is never undercut.

    Raises:
        ArgumentError: It is none of these, or a share is not from 0 to 1.

    Example:
        >>> human_stages([(0.2, 1.0), (1.0, 0.3)])
        ((Fraction(1, 5), Fraction(1, 1)), (Fraction(1, 1), Fraction(3, 10)))
    """
    if callable(human_fraction):
        return _stages_of(human_fraction)
    if isinstance(human_fraction, list | tuple):
        return _checked_stages(human_fraction)
    return ((Fraction(1), share("human_fraction", human_fraction, hint=_HINT)),)


def _stages_of(floor: Callable[[float], Any]) -> Stages:
    parts = _STAGES_OF_A_FUNCTION
    with understood(
        "human_fraction",
        floor,
        expected="a function of progress, from 0 to 1, that returns a share",
        hint=_HINT,
    ):
        given = [floor(i / parts) for i in range(parts + 1)]
    values = [share("human_fraction", each, hint=_HINT) for each in given]
    return tuple((Fraction(i + 1, parts), max(values[i], values[i + 1])) for i in range(parts))


def _checked_stages(stages: Sequence[Any]) -> Stages:
    if not stages or not all(isinstance(s, list | tuple) and len(s) == 2 for s in stages):
        raise bad_argument(
            "human_fraction",
            expected="a share, or a list of stages (until, share)",
            given=stages,
            hint="[(0.2, 1.0), (1.0, 0.3)] is all human for a fifth of the run, then 0.3",
        )
    checked = tuple(
        (
            share("human_fraction", until, hint="say at which share of the run a stage ends"),
            share("human_fraction", fraction, hint=_HINT),
        )
        for until, fraction in stages
    )
    ends = [Fraction(0), *(until for until, _ in checked)]
    if any(a >= b for a, b in pairwise(ends)) or ends[-1] != 1:
        raise bad_argument(
            "human_fraction",
            expected="stages whose ends rise, the last to 1.0",
            given=stages,
            hint="each stage is (until, share), with `until` as a share of the whole run",
        )
    return checked


def golden_fraction(num_human: float, num_synthetic: float) -> Fraction:
    """w* = (sqrt(k^2 + 4k) - k) / 2, with k human rows to each synthetic one.

    From "Golden Ratio Weighting Prevents Model Collapse" (He, Xu and Cheng, arXiv 2502.18049). A
    chain of models, each fitted to n fresh human samples of weight w and m samples of its
    predecessor of weight 1 - w, settles at a variance in proportion to
    (w^2 / n + (1 - w)^2 / m) / (1 - (1 - w)^2): human samples bring noise, synthetic ones the
    noise of all models before too. It is least where w^2 = k (1 - w). At k = 1 that is 0.618, the
    reciprocal of the golden ratio; the fewer human rows there are, the smaller it is, though never
    below their share among all rows.

    What that takes for granted, and a language model may not do:

    * the chain is long, and every generation has *fresh* human rows, as many as the last, beside
      rows of the last generation only (not of all before);
    * the model has the right form and many samples, and is fitted to a weighted sum of losses:
      it is proved for Gaussian estimation, generalized linear models and smoothing, not for
      networks;
    * what counts is the expected squared error at the end, not what happens to the tail.

    A weight in the loss and a share of the rows shown are the same on average, with noise of its
    own where human rows must be repeated.

    Args:
        num_human: Human rows, at least 1.
        num_synthetic: Synthetic rows, at least 1.

    Returns:
        To 12 decimals.

    Example:
        >>> float(golden_fraction(1000, 1000)), float(golden_fraction(100, 1000))
        (0.61803398875, 0.270156211872)
    """
    k = num_human / num_synthetic
    # The difference of two nearly equal numbers, written so that no digit is lost for large k.
    weight = 2 / (1 + math.sqrt(1 + 4 / k))
    return Fraction(str(round(weight, 12)))


@dataclass(frozen=True)
class Segment:
    """Blocks in a row with one human floor.

    Attributes:
        blocks: How many there are.
        human_per_block: Human slots of each.
    """

    blocks: int
    human_per_block: int


@dataclass(frozen=True)
class Era:
    """Epochs in a row that are made of the same segments.

    Attributes:
        epochs: How many there are.
        segments: Of each of them; one where no stage ends within the epoch.
    """

    epochs: int
    segments: tuple[Segment, ...]


def floor_segments(stages: Stages, *, blocks: int, block_size: int) -> list[Segment]:
    """The human floor of each block of a stream.

    A stage with share f makes ceil(f x block_size) slots of each of its blocks human. A block in
    which a stage ends gets the larger number, so that no stage is cut short of its floor.

    With F(t) the sum of these shares (as q / G) over the first t slots, which is whole at every
    border, the first t slots hold floor(F(t)) human ones. As
    floor(x + y) >= floor(x) + floor(y), a window of n slots from t holds at least
    floor(F(t + n) - F(t)): the sum of its slots' own shares, rounded down once. So a window of n
    slots within a stage holds at least floor(n f); one across borders at least the sum of that
    over its parts, and at least floor(n f) for the smallest f among them; and any m G consecutive
    slots at least m ceil(f G) for the smallest f. F is whole at the stream's end too, so that the
    same holds where a loader runs on into the next pass or fills up its last batch from the start.

    Args:
        stages: As from `human_stages`.
        blocks: Of the whole stream.
        block_size: Slots of a block.
    """
    interiors: list[tuple[int, int, int]] = []
    shared: dict[int, int] = {}
    start = Fraction(0)
    for until, fraction in stages:
        stop, human = until * blocks, math.ceil(fraction * block_size)
        # Blocks that lie in the stage as a whole, and those at its two ends that it shares.
        first, last = math.ceil(start), math.floor(stop)
        if first < last:
            interiors.append((first, last - first, human))
        for block in {math.floor(start), math.ceil(stop) - 1}:
            if (block < first or block >= last) and start < stop:
                shared[block] = max(shared.get(block, 0), human)
        start = stop
    singles = [(block, 1, human) for block, human in shared.items()]
    return _merged((length, human) for _, length, human in sorted(interiors + singles))


def _merged(pieces: Iterable[tuple[int, int]]) -> list[Segment]:
    return [
        Segment(sum(length for length, _ in group), human)
        for human, group in (
            (human, list(group)) for human, group in groupby(pieces, key=lambda piece: piece[1])
        )
    ]


def eras_of(segments: Sequence[Segment], *, blocks_per_epoch: int) -> list[Era]:
    """The same blocks, as epochs that are alike: at most two eras for each segment."""
    eras: list[Era] = []
    begun: list[Segment] = []
    missing = blocks_per_epoch
    for segment in segments:
        blocks, human = segment.blocks, segment.human_per_block
        if begun:
            taken = min(blocks, missing)
            begun.append(Segment(taken, human))
            blocks, missing = blocks - taken, missing - taken
            if missing:
                continue
            eras.append(Era(1, tuple(begun)))
            begun, missing = [], blocks_per_epoch
        epochs, left_over = divmod(blocks, blocks_per_epoch)
        if epochs:
            eras.append(Era(epochs, (Segment(blocks_per_epoch, human),)))
        if left_over:
            begun, missing = [Segment(left_over, human)], blocks_per_epoch - left_over
    return eras
