"""How a run was set up, in words, and nothing that is nobody's business."""

from enum import Enum
from importlib.metadata import version
from typing import Any

import torch

from collapse_guard import Budget, Decoding, EveryNSteps, Sampling, __version__
from collapse_guard.callbacks.one_call.configuration import configuration_of, told_settings
from collapse_guard.run_records.record import Configuration
from tests.tiny import tiny_gpt2, tiny_panel


def told(**others: Any) -> Configuration:
    settings: dict[str, Any] = {
        "sampling": None,
        "pace": Budget(0.01),
        "on_alert": "stop",
        "training": dict,
    }
    return configuration_of(
        others.pop("model", None), tiny_panel(), "half of the text", **{**settings, **others}
    )()


def test_what_is_watched_and_how_is_told() -> None:
    panel = tiny_panel()
    watching = told()["watching"]
    windows, tokens = panel.input_ids.shape
    assert watching["panel"].startswith(f"{windows} windows of {tokens} tokens, of 12 documents")
    assert panel.fingerprint in watching["panel"]
    assert "half of the text" in watching["rare tokens"]
    assert watching["pace"] == "Budget(overhead=0.01)"
    assert (watching["writing"], watching["an alert"]) == ("nothing", "stop")
    writes = Sampling(num_free=3, num_prompts=2, length=9, decoding=Decoding(0.7), seed=5)
    others = told(sampling=writes, pace=EveryNSteps(7), on_alert=print)["watching"]
    assert "3 texts from nothing" in others["writing"]
    assert "T 0.7, seed 5" in others["writing"]
    assert (others["pace"], others["an alert"]) == ("EveryNSteps(steps=7)", "calls a function")


def test_a_pace_of_ones_own_is_told_by_its_name() -> None:
    class Mine:
        def __repr__(self) -> str:
            return "secret"

    assert told(pace=Mine())["watching"]["pace"] == "Mine"


def test_a_model_is_counted() -> None:
    model = tiny_gpt2()
    frozen = next(model.parameters()).requires_grad_(False)
    total = sum(each.numel() for each in model.parameters())
    assert told(model=model)["model"] == {
        "class": "GPT2LMHeadModel",
        "parameters": f"{total:,}",
        "trained": f"{total - frozen.numel():,}",
        "dtype": "float32",
    }
    assert "model" not in told()
    lazy = torch.nn.LazyLinear(2)
    assert told(model=lazy)["model"]["parameters"] == "0"


def test_what_is_trained_with_is_asked_for_when_the_run_goes_on() -> None:
    settings: dict[str, object] = {}
    configuration = configuration_of(
        None, tiny_panel(), "", sampling=None, pace=Budget(0.01), on_alert="log",
        training=lambda: settings,
    )  # fmt: skip
    assert "training" not in configuration()
    settings["learning_rate"] = 0.5
    assert configuration()["training"] == {"learning rate": "0.5"}


def test_versions_are_those_in_use() -> None:
    packages = told()["packages"]
    assert packages["torch"] == version("torch")
    assert packages["collapse_guard"] == __version__
    assert set(packages) <= {
        *("python", "collapse_guard", "torch", "transformers", "tokenizers", "trl", "peft"),
        *("accelerate", "datasets", "lightning", "pytorch_lightning", "deepspeed"),
        *("bitsandbytes", "schedulefree", "numpy"),
    }


def test_settings_are_numbers_and_words() -> None:
    class Kind(Enum):
        LINEAR = "linear"

    assert told_settings(
        {
            "a_b": 1,
            "rate": 1e-5,
            "on": False,
            "kind": Kind.LINEAR,
            "rates": [0.1, 0.1, 0.2, None],
            "nothing": None,
            "empty": [],
            "other": object(),
            "mapping": {"token": "x"},
            "long": "x" * 500,
        }
    ) == {
        "a b": "1",
        "rate": "1e-05",
        "on": "no",
        "kind": "linear",
        "rates": "0.1, 0.2",
        "long": "x" * 100 + "...",
    }
