"""The settings of the page on frameworks work, and what it says of `init` is what that prints."""

import json
import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from collapse_guard.callbacks.axolotl.settings import AxolotlSettings
from collapse_guard.callbacks.one_call.file_settings import FileSettings
from collapse_guard.integrations.command_line.run import run
from tests.callbacks.one_call.people import people_write, word_tokenizer
from tests.docs.pages import ROOT, text_of

PAGE = text_of(ROOT / "docs" / "frameworks.md")
AXOLOTL, LIGHTNING = (
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the files that the settings name."""
    monkeypatch.chdir(tmp_path)
    lines = (json.dumps({"text": text}) + "\n" for text in people_write(20))
    (tmp_path / "held_out.jsonl").write_text("".join(lines))
    word_tokenizer().save_pretrained(tmp_path / "tokenizer")


def made(path: str, **arguments: Any) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**arguments)


def test_axolotl_s_plug_in_takes_its_settings() -> None:
    (name,) = AXOLOTL["plugins"]
    plugin = made(name)
    plugin.register(AXOLOTL)
    assert plugin.get_input_args().endswith(f".{AxolotlSettings.__name__}")
    AxolotlSettings(**AXOLOTL)


def test_lightning_s_callback_takes_its_settings() -> None:
    (callback,) = LIGHTNING["trainer"]["callbacks"]
    made(callback["class_path"], **callback["init_args"])


def test_every_setting_is_told_of() -> None:
    told = re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    assert told == [field.name for field in fields(FileSettings)]


def test_init_prints_what_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (printed,) = re.findall(r"```text\n\$ collapse-guard init\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "train.py").write_text(
        "from trl import SFTTrainer\n\ntrainer = SFTTrainer('model')\ntrainer.train()\n"
    )
    assert run(["init"]) == 0
    assert capsys.readouterr().out == f"{printed}\n"


def test_init_finds_its_own_settings_there_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = {"base_model": "a", "datasets": [], "adapter": "lora"}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({**AXOLOTL, **rest}))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({**LIGHTNING, "model": {}}))
    assert run(["init"]) == 0
    assert [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "already there"
    ] * 2
