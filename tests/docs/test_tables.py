"""What documents say of readings, keys and rules is what the code says."""

import importlib
import re
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest

from collapse_guard import CollapseMonitor, MixGuard, PrequentialReader, Sampling, default_rules
from collapse_guard.callbacks.records import record_keys
from collapse_guard.monitor.track import Track
from collapse_guard.readings.registry import READINGS
from tests.docs.pages import DOCS, README, ROOT, name_of, text_of
from tests.docs.tables import TABLES, filled_in, named
from tests.tiny import tiny_gpt2, tiny_panel, tiny_reference

TELL_OF_KEYS = (
    "collapse_guard.callbacks.huggingface.callback",
    "collapse_guard.callbacks.lightning.callback",
    "collapse_guard.callbacks.records",
    "collapse_guard.callbacks.session",
)


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_tables_are_as_written_from_the_code(page: Path) -> None:
    assert text_of(page) == filled_in(text_of(page)), "run python -m tests.docs.tables"


def test_every_table_stands_on_one_page() -> None:
    assert sorted(name for page in DOCS for name in named(text_of(page))) == sorted(TABLES)


def test_every_reading_stands_in_one_table_of_readings() -> None:
    text = text_of(ROOT / "docs" / "readings.md")
    rows = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
    by_hand = {
        "band_readings",
        "contextual_reading",
        "rare_ngram_reading",
        "hidden_state_reading",
        "rare_word_reading",
        "strata_readings",
        "log_odds_reading",
    }
    assert sorted(rows) == sorted([*READINGS, *by_hand])


def test_the_front_page_tells_the_usual_rules() -> None:
    text = text_of(README)
    for rule in default_rules():
        limit = f"{rule.above if rule.below is None else rule.below:.2f}"
        side = "above" if rule.below is None else "below"
        assert f"`{rule.reading}` {side} {limit}" in text
        assert rule.alpha == 0.01


@pytest.fixture(scope="module")
def keys() -> set[str]:
    """Every key that anything can log, without the name of the session."""
    rows = [{"input_ids": [1, 2]}] * 4
    mix = MixGuard(rows, rows, human_fraction=0.5, block_size=2)
    panel = tiny_panel()
    track = Track(panel.fingerprint)
    track.add(0, np.zeros(len(panel)), np.zeros(len(panel)))
    monitor = CollapseMonitor(
        panel,
        sampling=Sampling(),
        control=track,
        against_base=True,
        prequential=PrequentialReader(mix, tiny_reference()),
    )
    assert set(monitor.reading_names) == set(READINGS)
    return set(record_keys(monitor))


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(text_of(page), id=name_of(page)) for page in (README, *DOCS)),
        *(
            pytest.param(text_of(Path(str(importlib.import_module(name).__file__))), id=name)
            for name in TELL_OF_KEYS
        ),
    ],
)
def test_every_key_that_is_named_is_one(text: str, keys: set[str]) -> None:
    said = re.findall(r"(?:eval_)?\bcollapse/(<reading>\w*|\w+)", text)
    for key in said:
        pattern = key.replace("<reading>", "*")
        assert any(fnmatchcase(each, pattern) for each in keys), f"nothing logs collapse/{key}"


def test_a_monitor_logs_no_other_keys() -> None:
    monitor = CollapseMonitor(tiny_panel(), sampling=Sampling(num_free=4, num_prompts=2, length=8))
    monitor.start(tiny_gpt2())
    logged = set(record_keys(monitor))
    table = TABLES["logged keys"]()
    patterns = [key.replace("<reading>", "*") for key in re.findall(r"`collapse/([\w<>]+)`", table)]
    assert all(any(fnmatchcase(key, pattern) for pattern in patterns) for key in logged)
    assert set(monitor.reading_names) < logged
