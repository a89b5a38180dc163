import math
from fractions import Fraction
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.quotas.quota import Quota, age_discounts, quotas_of
from tests.mixing.quotas.sources import guard, human, model, shown

# What subtracting leaves of nothing, such as 0.1 + 0.2 - 0.3.
LEFT = 2.0**-54


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

    def test_the_sources_are_named(self) -> None:
        humans = [human(name=name, min_fraction=0.2) for name in ("wiki", "news", "law")]
        with pytest.raises(
            ArgumentError, match=r"expected human sources \(wiki, news, law\) whose"
        ):
            guard(humans, model(), human_fraction=0.5)

    def test_a_floor_may_be_all_that_a_source_may_fill(self) -> None:
        synthetic = [model(min_fraction=0.25, max_fraction=0.25), model(name="other")]
        mix = guard(human(), synthetic, human_fraction=0.25)
        assert shown(mix) == {"wiki": 200, "model": 200, "other": 400}


def test_a_weight_is_the_fraction_that_was_meant_and_never_nothing() -> None:
    for given, meant in ((0.1, Fraction(1, 10)), (3, Fraction(3)), (LEFT, Fraction(1, 2**54))):
        quota = Quota.of(human(weight=given), discount=Fraction(1, 2), rows=7, max_repeats=3)
        assert quota.weight == meant / 2
    assert (quota.rows, quota.max_repeats, quota.supply) == (7, 3, 21)
    quota = Quota.of(human(max_repeats=5), discount=Fraction(1), rows=7, max_repeats=3)
    assert quota.supply == 35


@pytest.mark.parametrize(
    ("decay", "factor"),
    [(0.1, Fraction(1, 10)), (2, Fraction(2)), (LEFT, Fraction(1, 2**54)), (Fraction(1, 3),) * 2],
)
def test_what_a_model_wrote_counts_less_for_each_generation_since(
    decay: Any, factor: Fraction
) -> None:
    sources = [human(), model(generation=3), model(name="old", generation=1), human(name="news")]
    # The newest counts in full, whatever its number, and people's text has no age.
    assert age_discounts(sources, decay) == [1, 1, factor**2, 1]
    assert age_discounts(sources[:1], decay) == [1]
    quotas = quotas_of(sources, [1, 2, 3, 4], generation_decay=decay, max_repeats=2)
    assert [each.weight for each in quotas] == [1, 1, factor**2, 1]
    assert [each.rows for each in quotas] == [1, 2, 3, 4]
