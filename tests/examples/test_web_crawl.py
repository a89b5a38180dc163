from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError
from collapse_guard.examples.web_crawl import tables
from collapse_guard.examples.web_crawl.__main__ import main
from collapse_guard.examples.web_crawl.cost import Corpus, passes, sampled_bytes
from collapse_guard.examples.web_crawl.crawl import (
    Assumptions,
    least_floor,
    lost_after,
    simulate,
    steady,
)

SHARES = st.floats(0, 0.95)
WEBS = st.builds(
    Assumptions,
    share=SHARES,
    narrowing=st.floats(0.3, 1),
    memory=st.just(1),
    floor=SHARES,
    matched=st.floats(0, 1),
)


@given(web=WEBS)
def test_models_of_the_newest_crawl_come_to_what_the_equation_says(web: Assumptions) -> None:
    last = list(simulate(web, 400))[-1]
    assert last.model == pytest.approx(steady(web), abs=1e-6)


@given(web=WEBS)
def test_a_tail_is_never_more_than_people_s_and_what_is_matched_is_never_worse(
    web: Assumptions,
) -> None:
    for one, matched in zip(
        simulate(web, 30), simulate(replace(web, matched=1.0), 30), strict=True
    ):
        assert 0 <= one.new <= 1 + 1e-9
        assert one.model <= matched.model + 1e-9
        assert one.web <= matched.web + 1e-9


@pytest.mark.parametrize("memory", [None, 1, 3])
def test_a_sampler_that_narrows_nothing_loses_nothing(memory: int | None) -> None:
    web = Assumptions(share=0.9, narrowing=1.0, memory=memory)
    for one in simulate(web, 20):
        assert (one.model, one.new, one.web) == pytest.approx((1.0, 1.0, 1.0))


def test_one_generation_by_hand() -> None:
    first, second = simulate(Assumptions(human=0.5, share=0.5, narrowing=0.6, memory=1), 2)
    # The first model is of human text; half of what is new is its own, at 0.6.
    assert (first.model, first.new) == (1.0, pytest.approx(0.8))
    assert first.human_share == pytest.approx(1.5 / 2)
    assert first.web == pytest.approx((1.5 + 0.5 * 0.6) / 2)
    assert second.model == pytest.approx(0.8)


@given(narrowing=st.floats(0.3, 0.99), matched=st.floats(0, 0.9), target=st.floats(0.5, 0.99))
def test_the_least_floor_keeps_what_it_shall(
    narrowing: float, matched: float, target: float
) -> None:
    web = Assumptions(narrowing=narrowing, matched=matched)
    floor = least_floor(web, target)
    assert steady(replace(web, share=1 - floor)) == pytest.approx(target, rel=1e-9)


def test_the_first_generation_that_lost_is_told() -> None:
    web = Assumptions(share=0.9, memory=1)
    number = lost_after(web, 50, 0.5)
    assert number is not None
    models = [one.model for one in simulate(web, number)]
    assert models[-1] < 0.5 <= models[-2]
    assert lost_after(web, 50, 0.2) is None


@pytest.mark.parametrize(
    "wrong",
    [{"share": 1.0}, {"share": -0.1}, {"narrowing": 0.0}, {"memory": 0}, {"floor": 1.5}],
)
def test_a_web_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        Assumptions(**wrong)


def test_costs_grow_with_the_corpus_and_what_travels_hardly() -> None:
    small, large = Corpus(tokens=15e11), Corpus(tokens=15e12)
    for one, other in zip(passes(small, 16), passes(large, 16), strict=True):
        assert other.node_hours(large) == pytest.approx(10 * one.node_hours(small))
        assert other.travels(large, 16) < 2 * one.travels(small, 16) + 1
    # Less than there is room for goes over whole.
    few = Corpus(tokens=1e4)
    assert sampled_bytes(few, 1) == pytest.approx(few.size)


def test_tables_have_a_row_for_each_case() -> None:
    assert len(list(tables.tails(None))) == len(list(tables.losses())) == len(tables.SHARES)
    assert len(list(tables.floors())) == 5
    assert len(list(tables.costs())) == 4


def test_the_command_tells_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--share", "0.9", "--generations", "4", "--output", str(tmp_path / "web.png")])
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 6
    assert (tmp_path / "web.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit, match="share"):
        main(["--share", "1"])
