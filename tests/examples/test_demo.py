from pathlib import Path
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.examples import demo
from collapse_guard.examples.recursive_finetune import experiment


def test_it_is_the_recursive_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(experiment, "run", ran.append)
    demo.demo(output=tmp_path, preset="smoke")
    (settings,) = ran
    assert (settings.output_dir, settings.vocab_size) == (str(tmp_path), 512)


def test_an_unknown_preset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"`preset`.*laptop"):
        demo.demo(output=tmp_path, preset="huge")
