"""The example beyond text: its model against an integral, its regimes, a small run."""

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from collapse_guard import MixGuard
from collapse_guard.alerts.rules import Alert
from collapse_guard.readings.panel import ScoresItself, check_panel

pytest.importorskip("sklearn")
pytest.importorskip("lightning")
pytest.importorskip("matplotlib")

from collapse_guard.examples.beyond_text.__main__ import main
from collapse_guard.examples.beyond_text.autoencoder import PIXELS, Autoencoder
from collapse_guard.examples.beyond_text.chain import QUICK, Generation, first_model, run_chain
from collapse_guard.examples.beyond_text.figures import shown_generations
from collapse_guard.examples.beyond_text.panel import SAMPLES, ImagePanel
from collapse_guard.examples.beyond_text.people import DIGIT, LEVELS, Judge, people
from collapse_guard.examples.beyond_text.regimes import REGIMES, Lesson, mixed
from collapse_guard.examples.beyond_text.study import Study, table
from collapse_guard.examples.beyond_text.tables import run_tables, tables_page
from collapse_guard.examples.laboratory.drift import survival
from collapse_guard.examples.laboratory.worlds.survey import Survey

QUICKER = replace(QUICK, first_steps=4, steps=3)


def test_two_digits_are_rare_and_nobody_learns_from_what_is_held_out() -> None:
    ours = people(0, rare=(1, 6), count=9, held_out=50)
    counts = np.bincount(ours.digits, minlength=10)
    assert counts[[1, 6]].tolist() == [9, 9]
    assert counts[[0, 2, 3, 4, 5, 7, 8, 9]].min() > 100
    assert np.bincount(ours.held_out_digits).tolist() == [50] * 10
    learned, held = ({image.tobytes() for image in each} for each in (ours.images, ours.held_out))
    assert learned.isdisjoint(held)
    assert not np.array_equal(people(1).held_out, people(0).held_out)


def test_the_judge_knows_digits_that_it_has_not_seen() -> None:
    ours = people(0)
    told = Judge(ours).digits(ours.images)
    assert np.mean(told == ours.digits) > 0.97
    for rare in ours.rare:
        assert np.mean(told[ours.digits == rare] == rare) > 0.9


def test_the_bound_goes_to_the_likelihood_that_an_integral_gives() -> None:
    torch.manual_seed(0)
    model = Autoencoder(latents=1, hidden=8).double()
    image = torch.randint(LEVELS + 1, (1, PIXELS), generator=torch.Generator().manual_seed(1))

    def joint(latent: float) -> float:
        """p(x, z), far from 0 by a constant."""
        shares = model.decoder(torch.tensor([[latent]]).double()).sigmoid().detach().numpy()
        log = stats.binom.logpmf(image.numpy(), LEVELS, shares).sum() + stats.norm.logpdf(latent)
        return math.exp(log + shift)

    shift = -float(stats.binom.logpmf(image.numpy(), LEVELS, 0.5).sum())
    likelihood = math.log(integrate.quad(joint, -8, 8)[0]) - shift
    noise = torch.randn(1, 40_000, 1, generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        log_weights = model(image.double(), noise)
    bound = float(log_weights.logsumexp(1)) - math.log(noise.shape[1])
    assert bound == pytest.approx(likelihood, abs=0.05)
    # The evidence lower bound lies below it.
    assert float(log_weights.mean()) < likelihood


def test_drawn_images_are_the_decoder_s_mean_in_whole_levels() -> None:
    torch.manual_seed(0)
    model = Autoencoder()
    cold = model.draw(5, torch.Generator().manual_seed(0), temperature=0.0)
    assert (cold == cold[0]).all()
    middle = LEVELS * model.decoder(torch.zeros(1, 8)).sigmoid()
    assert (cold[0] - middle).abs().max() <= 0.5
    drawn = model.draw(5, torch.Generator().manual_seed(0))
    assert drawn.dtype == torch.uint8
    assert torch.equal(drawn, model.draw(5, torch.Generator().manual_seed(0)))


def test_the_panel_gives_nats_per_pixel_and_its_tail_is_the_rare_digits() -> None:
    ours, model = people(0), Autoencoder()
    panel = ImagePanel(ours, latents=8)
    assert isinstance(check_panel(panel), ScoresItself)
    windows = torch.tensor([3, 400, 7])
    with torch.no_grad():
        given = panel.log_probs(model, windows)
        again = panel.log_probs(model, windows.flip(0)).flip(0)
        image = torch.from_numpy(ours.held_out[400:401]).float()
        # A mean over as many samples of other noise: near, and not the same.
        log_weights = model(image, torch.randn(1, 50 * SAMPLES, 8))
        near = log_weights.logsumexp(1) - math.log(50 * SAMPLES)
    assert given.shape == (3, 1)
    torch.testing.assert_close(given, again)
    assert float(given[1]) == pytest.approx(float(near) / PIXELS, abs=0.05)
    of_tail = ours.held_out_digits[panel.tail_positions[:, 0].numpy()]
    assert set(of_tail) == set(ours.rare)
    assert panel.position_counts["tail"].sum() == len(of_tail) == 140
    assert panel.fingerprint != ImagePanel(ours, latents=8, seed=1).fingerprint


def rows(kind: str, digits: str) -> list[dict[str, str]]:
    return [{"kind": kind, DIGIT: digit} for digit in digits]


PEOPLE = rows("human", "0" * 18 + "7" * 2)
LESSON = Lesson(
    PEOPLE,
    PEOPLE,
    [rows("first", "0" * 20), rows("second", "0" * 20)],
    DIGIT,
    floor=0.3,
    boost=4.0,
)


def shown(guard: MixGuard) -> Counter[str]:
    return Counter(guard[slot]["kind"] for slot in range(len(guard)))


@pytest.mark.parametrize(
    ("regime", "expected"),
    [
        ("human", {"human": 600}),
        ("replace", {"second": 600}),
        ("accumulate", {"human": 210, "first": 195, "second": 195}),
        ("mixguard", {"human": 180, "second": 420}),
    ],
)
def test_a_regime_mixes_what_it_says(regime: str, expected: dict[str, int]) -> None:
    guard = mixed(REGIMES[regime](LESSON), batch_size=20, steps=30, seed=0)
    assert shown(guard) == expected
    for step in range(30):
        batch = [guard[slot]["kind"] for slot in range(20 * step, 20 * step + 20)]
        assert batch.count("human") >= expected.get("human", 0) // 30


def test_the_boost_shows_rare_human_rows_more_often() -> None:
    guard = mixed(REGIMES["mixguard"](LESSON), batch_size=20, steps=30, seed=0)
    of_human = [row for row in (guard[slot] for slot in range(600)) if row["kind"] == "human"]
    digits = Counter(row[DIGIT] for row in of_human)
    assert digits["7"] / 2 == pytest.approx(4.0 * digits["0"] / 18, rel=0.1)


def test_chains_of_a_seed_begin_alike_and_are_the_same_each_time() -> None:
    ours = people(0)
    first = first_model(ours, QUICKER, 0)
    before = {name: value.clone() for name, value in first.state_dict().items()}

    def chain(regime: str) -> list[Generation]:
        return list(run_chain(ours, REGIMES[regime], first, settings=QUICKER, seed=0))

    one, two, other = chain("replace"), chain("replace"), chain("mixguard")
    assert all(torch.equal(before[name], value) for name, value in first.state_dict().items())
    assert [each.number for each in one] == [1, 2]
    assert one[0].readings == other[0].readings
    assert one[0].readings["tail_retention"] == 1.0
    assert one[1].readings == two[1].readings != other[1].readings
    np.testing.assert_array_equal(one[1].images, two[1].images)
    assert (one[1].human_share, other[1].human_share) == (0.0, pytest.approx(0.3125))
    assert sum(one[1].digits) == len(ours.images)
    assert {"tail_gap", "perplexity", "drawn_entropy"} <= set(one[1].readings)
    assert "effective_vocabulary" not in one[1].readings


def generation(number: int, retention: float, digits: tuple[int, ...], *told: str) -> Generation:
    readings = dict.fromkeys(("tail_retention", "head_retention"), retention)
    readings |= {f"drawn_{name}": 1.0 for name in ("rare_share", "entropy", "digits")}
    alerts = [
        Alert(rule, "tail_retention", retention, 0.85, 0.0, number, "warn", "") for rule in told
    ]
    return Generation(number, 0.0, readings, digits, tuple(alerts), np.zeros((2, 64), np.uint8))


def test_the_table_has_means_over_seeds_first_alarms_and_digits() -> None:
    ones = (1,) * 10
    chains = {
        "human": [[generation(1, 1.0, ones), generation(2, 1.0, ones)]] * 2,
        "replace": [
            [generation(1, 1.0, ones), generation(2, 0.6, (5,) * 10, "a rule")],
            [generation(1, 1.0, ones), generation(2, 0.8, ones)],
        ],
    }
    page = table(Study(QUICKER, (0, 1), (4, 7), chains))
    # Two values apart by 2d have a standard error of d.
    assert "| replace | 0.70 ± 0.10 | 0.70 ± 0.10 | 1.00 ± 0.00 |" in page
    assert "| human | any | none |" in page
    assert "| replace | a rule | 2, never |" in page
    assert "| 3 | **4** | 5 | 6 | **7** | 8 |" in page
    assert f"| replace | 2 |{' 6 |' * 10}" in page
    assert shown_generations(8) == [1, 3, 6, 8]
    assert shown_generations(2) == [1, 2]


def test_tables_that_replace_each_other_drift_and_a_boost_keeps_rare_regions() -> None:
    chains = run_tables(tables=30, generations=5, rows=40)
    law = Survey().law.root[0]
    for generation in (1, 5):
        left = chains["replace"].estimate("regions", generation)
        expected = sum(survival(float(share), 40, generation) for share in law)
        assert abs(left.value - expected) < 4 * left.standard_error
    # People's rows are the same each time, so a tree of them alone is, too.
    assert np.ptp(chains["human"].values["pairs"], axis=0).max() == 0
    assert chains["mixguard"].human_shares == pytest.approx((1.0, *[0.3] * 4))
    assert (
        chains["mixguard"].estimate("rare_regions", 5).value
        > chains["accumulate"].estimate("rare_regions", 5).value
        > 0.7
    )
    page = tables_page(chains)
    assert "| human | any | none |" in page
    assert "| replace | pairs below 0.7 times its start | " in page


def test_the_command_writes_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--seeds", "0", "--output", str(tmp_path)])
    assert "seed 0, mixguard, generation 2 of 2: tail retention" in capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert len(results["chains"]) == 2 * len(REGIMES)
    assert results["rare"] == [4, 7]
    page = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in page for name in REGIMES)
    assert "| mixguard |" in (tmp_path / "tables.md").read_text(encoding="utf-8")
    for name in ("readings.png", "images.png", "tables.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
