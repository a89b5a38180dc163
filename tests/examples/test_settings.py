"""Settings, presets and the command line."""

import json
import sys
from dataclasses import fields

import pytest

from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.examples.recursive_finetune.presets import PRESETS, parse
from collapse_guard.examples.recursive_finetune.settings import Settings, digest, subset
from collapse_guard.model.decoding import Decoding


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_set_what_they_say(preset: str) -> None:
    settings = parse(["--preset", preset])
    expected = {field.name: getattr(Settings(), field.name) for field in fields(Settings)}
    expected |= {"preset": preset, **PRESETS[preset]}
    assert subset(settings, expected) == expected


def test_the_default_is_the_laptop_preset() -> None:
    assert parse([]) == Settings() == parse(["--preset", "laptop"])


def test_the_command_line_comes_before_the_preset() -> None:
    settings = parse(
        ["--preset", "smoke", "--rows", "8", "--regimes", "replace", "human", "--top-k", "5"]
    )
    assert (settings.rows, settings.regimes, settings.top_k) == (8, ["replace", "human"], 5)
    assert settings.window == PRESETS["smoke"]["window"]


def test_a_decoding_is_set_part_by_part() -> None:
    decoding = parse(["--temperature", "0.7", "--top-p", "0.9", "--min-p", "0.05"]).decoding
    assert decoding == Decoding(temperature=0.7, top_p=0.9, min_p=0.05)
    assert Settings().decoding == Decoding(temperature=0.8)


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = capsys.readouterr().out
    for field in fields(Settings):
        assert f"--{field.name}" in shown
        assert field.metadata["help"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "huge"], "`preset` expected one of laptop, smoke"),
        (["--regimes", "robot"], "`regimes` expected any of human, replace, mixguard"),
        (["--generations", "0"], "`generations` expected at least 1"),
        (["--base-steps", "0"], "`base_steps` expected at least 1"),
        (["--temperature", "0"], "`temperature` expected a number above 0"),
        (["--min-p", "2"], "`min_p` expected a share of at least 0"),
        (["--trainer", "axolotl"], "`trainer` expected one of hf, sft"),
        (["--prompt", "-1"], "`prompt` expected 0, or a prompt that leaves at least 8"),
        (["--prompt", "121"], "leaves at least 8 of the window's 128 tokens"),
        (["--rows", "9", "--passes", "1"], "multiple of the batch size 16"),
    ],
)
def test_settings_that_cannot_work_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        parse(arguments)


def test_a_prompt_may_leave_eight_tokens() -> None:
    assert parse(["--prompt", "120"]).prompt == 120
    assert parse(["--preset", "smoke", "--prompt", "24"]).prompt == 24


def test_a_trainer_that_is_not_installed_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    assert parse([]).trainer == "hf"
    with pytest.raises(MissingExtraError, match="trl is needed here and is not installed"):
        parse(["--trainer", "sft"])


def test_where_and_how_long_is_no_part_of_the_experiment() -> None:
    settings = Settings()
    continued = Settings(output_dir="elsewhere", generations=9, regimes=["human"])
    assert continued.experiment() == settings.experiment()
    assert Settings(seed=1).experiment() != settings.experiment()
    assert json.loads(json.dumps(settings.experiment())) == settings.experiment()


def test_digests_tell_values_apart() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest("ab", "c") != digest("a", "bc")
