import math
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from tests.mixing.quotas.sources import guard, human, model


class TestFractionsThatDoNotFit:
    @pytest.mark.parametrize(
        ("humans", "synthetic", "fraction", "message"),
        [
            # 0.8 + 0.3 > 1.
            (human(), model(min_fraction=0.3), 0.8, "`min_fraction` expected synthetic sources"),
            # Each fits, and together they do not.
            (
                [human(name=str(n), min_fraction=0.2) for n in range(3)],
                model(),
                0.5,
                "`min_fraction` expected human sources .*0.6 in all, which takes 6 slots: 2",
            ),
            # 3 x 0.01 is little, but 3 slots of the 2 human ones of a block of 8.
            (
                [human(name=str(n), min_fraction=0.01) for n in range(3)],
                model(),
                0.25,
                "larger block_size if only the rounding",
            ),
            # A block in a stage without synthetic slots holds no synthetic floor.
            (human(), model(min_fraction=0.1), [(0.1, 1.0), (1.0, 0.2)], "fit into 0 of the 8"),
            (human(max_fraction=0.2), model(), 0.25, "`max_fraction` expected human sources"),
            (
                human(),
                [model(name=str(n), max_fraction=0.3) for n in range(2)],
                0.25,
                "`max_fraction` expected synthetic sources .* fill 6 of the 8 .*0.6 in all",
            ),
            # A block of 8 holds a whole row or none: at least 0.1 is an eighth.
            (
                human(),
                [model(min_fraction=0.1, max_fraction=0.11), model(name="b")],
                0.25,
                "`min_fraction` expected a share of model that blocks of 8",
            ),
        ],
    )
    def test_they_are_refused(
        self, humans: Any, synthetic: Any, fraction: Any, message: str
    ) -> None:
        with pytest.raises(ArgumentError, match=message):
            guard(humans, synthetic, human_fraction=fraction)

    @pytest.mark.parametrize("decay", [0, math.inf, -1, math.nan, "1"])
    def test_a_decay_is_a_share(self, decay: Any) -> None:
        with pytest.raises(ArgumentError, match="`generation_decay` expected a number above 0"):
            guard(human(), model(), generation_decay=decay)
