from typing import Any

import pytest
import yaml

from collapse_guard.integrations.command_line.training_code.configs import (
    CALLBACK,
    PLUGIN,
    found_config,
)
from tests.integrations.command_line.training_code.scripts import changed

AXOLOTL = """\
base_model: HuggingFaceTB/SmolLM2-135M
datasets:
  - path: rows.jsonl
    type: completion
sequence_len: 512
"""
LIGHTNING = """\
trainer:
  max_steps: 10
model:
  class_path: mine.Module
"""
LLAMA_FACTORY = """\
model_name_or_path: HuggingFaceTB/SmolLM2-135M
stage: sft
do_train: true
finetuning_type: lora
dataset: mine
"""


def settings_after(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings before, and those after the edits."""
    found = found_config("a.yaml", text)
    assert found is not None
    assert found.edits
    return yaml.safe_load(text), yaml.safe_load(changed(text, found.edits))


@pytest.mark.parametrize(
    ("plugins", "others"),
    [
        ("", []),
        ("plugins:\n  - a.B\n", ["a.B"]),
        ("plugins:\n- a.B\n# of theirs\n- c.D\n\n", ["a.B", "c.D"]),
    ],
)
@pytest.mark.parametrize("is_last", [True, False])
def test_axolotl_gets_a_plug_in(plugins: str, others: list[str], is_last: bool) -> None:
    own, after = settings_after(AXOLOTL + plugins if is_last else plugins + AXOLOTL)
    assert after.pop("collapse_guard") == {"held_out": "held_out.jsonl"}
    assert after.pop("plugins") == [*others, PLUGIN]
    own.pop("plugins", None)
    assert after == own


@pytest.mark.parametrize("text", ["plugins: [a.B]\n", "plugins:\n", "plugins: a.B\n"])
def test_a_list_in_another_form_is_told_of(text: str) -> None:
    found = found_config("a.yaml", AXOLOTL + text)
    assert found is not None
    assert found.notes[0] == f"among `plugins:` goes {PLUGIN}"
    assert changed(AXOLOTL + text, found.edits).endswith("  held_out: held_out.jsonl\n")


@pytest.mark.parametrize(
    ("callbacks", "others"),
    [("", []), ("  callbacks:\n    - class_path: a.B\n      init_args:\n        c: 1\n", ["a.B"])],
)
def test_lightning_gets_a_callback(callbacks: str, others: list[str]) -> None:
    text = LIGHTNING.replace("model:\n", f"{callbacks}model:\n")
    own, after = settings_after(text)
    paths = [each["class_path"] for each in after["trainer"].pop("callbacks")]
    assert paths == [*others, CALLBACK]
    own["trainer"].pop("callbacks", None)
    assert after == own


@pytest.mark.parametrize("text", ["trainer:\nmodel: 1\n", "trainer: {a: 1}\nmodel: 1\n"])
def test_a_trainer_in_another_form_is_told_of(text: str) -> None:
    found = found_config("a.yaml", text)
    assert found is not None
    assert found.edits == ()
    assert f"- class_path: {CALLBACK}" in found.notes


def test_llama_factory_gets_a_launcher() -> None:
    found = found_config("conf/a.yaml", LLAMA_FACTORY)
    assert found is not None
    (edit,) = found.edits
    assert edit.where == "in a new file train_watched.py"
    compile("\n".join(edit.lines), "train_watched.py", "exec")
    assert "python train_watched.py conf/a.yaml" in found.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n",
        "a: 1\n",
        "base_model: x\n",
        "datasets: x\nother: 1\n",
        "model_name_or_path: x\nstage: y\n",
        "1: 2\n? [a]\n: b\n",
        "a: &a [1]\nb: *a\n",
        "a: !!python/object/apply:os.system [x]\n",
    ],
)
def test_other_settings_are_left_alone(text: str) -> None:
    assert found_config("a.yaml", text) is None


@pytest.mark.parametrize("text", ["a: [", "{% if x %}", "a: 1\n---\nb: 1\n", "[" * 1200])
def test_what_is_no_yaml_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is no YAML of one document"):
        found_config("a.yaml", text)
