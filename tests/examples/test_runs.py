"""Whole runs of the smallest preset, as a user starts them: undisturbed, killed, distributed."""

import contextlib
import json
import math
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from collapse_guard import distinct_n, sample
from collapse_guard.examples.recursive_finetune.base_model import prepare_base_model
from collapse_guard.examples.recursive_finetune.corpus import load_corpus
from collapse_guard.examples.recursive_finetune.human_text import prepare_human_text
from collapse_guard.examples.recursive_finetune.presets import parse
from collapse_guard.examples.recursive_finetune.processes import Processes
from tests import forking
from tests.examples.topics import topics
from tests.forking import Program
from tests.packaging.layout import ROOT
from tests.processes import free_port, take_place

pytestmark = pytest.mark.slow

REGIMES = ("human", "replace", "mixguard", "guarded")
EXAMPLE = "collapse_guard.examples.recursive_finetune"
PATIENCE_S = 300


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One cache for all runs here, so that the small model is trained once."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def human_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real prose, quicker to read than the whole of Python's documentation."""
    path = tmp_path_factory.mktemp("text") / "topics.txt"
    path.write_text("\n\n".join(topics()), encoding="utf-8")
    return path


def settings_of(output: Path, human_text: Path) -> list[str]:
    return ["--preset", "smoke", "--dataset", str(human_text), "--output-dir", str(output)]


def launch(settings: list[str], environment: dict[str, str]) -> str:
    """What a run prints that is started as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", EXAMPLE, *settings],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def begin(settings: list[str], environment: dict[str, str], folder: Path) -> Program:
    """The same run, without ten seconds of imports; a folder for what goes wrong."""
    return Program(EXAMPLE, settings, environment, folder / "errors.txt")


def finish(settings: list[str], environment: dict[str, str], folder: Path) -> str:
    program = begin(settings, environment, folder)
    printed = program.read(PATIENCE_S)
    assert program.wait() == 0, (folder / "errors.txt").read_text(encoding="utf-8")
    return printed


def kill_at(line: str, settings: list[str], environment: dict[str, str], folder: Path) -> None:
    """Begin a run, and kill it as soon as it prints a line that begins so."""
    program = begin(settings, environment, folder)
    for printed in program.stdout:
        if printed.startswith(line):
            program.process.kill()
            break
    assert program.wait() == -signal.SIGKILL


def _as_one_of_two(
    rank: int, port: int, settings: list[str], environment: dict[str, str], folder: str
) -> None:
    os.environ.update(environment)
    take_place(rank, port)
    sys.argv = [EXAMPLE, *settings]
    with (
        Path(folder, f"{rank}.txt").open("w", encoding="utf-8") as printed,
        contextlib.redirect_stdout(printed),
    ):
        runpy.run_module(EXAMPLE, run_name="__main__", alter_sys=True)


@pytest.fixture(scope="module")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, human_text: Path, environment: dict[str, str]
) -> tuple[Path, str]:
    output = tmp_path_factory.mktemp("uninterrupted")
    return output, launch(settings_of(output, human_text), environment)


def read(output: Path) -> Any:
    return json.loads((output / "results.json").read_text(encoding="utf-8"))


def test_a_run_writes_results_figure_and_report(uninterrupted: tuple[Path, str]) -> None:
    output, printed = uninterrupted
    chains = read(output)["regimes"]
    assert tuple(chains) == REGIMES
    for chain in chains.values():
        assert [result["generation"] for result in chain] == [0, 1, 2]
        assert chain[0] == chains["human"][0]
        assert chain[0]["tail_retention"] == 1.0
        assert len({result["tail_retention"] for result in chain}) == 3
        for result in chain:
            assert [look["step"] for look in result["looks"]] == [0, 2]
            last = result["looks"][-1]
            if result["generation"]:
                # The callback saw on the way what was read after it.
                assert last["loss"] == pytest.approx(math.log(result["perplexity"]), abs=1e-4)
                assert last["tail_retention"] == pytest.approx(result["tail_retention"], abs=1e-4)
    shares = [chains[name][-1]["human_share"] for name in REGIMES]
    assert shares == [1.0, 0.0, 3 / 8, 3 / 8]
    assert "Counted from the start, the alarm goes off" in printed
    assert (output / "collapse.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (output / "report.html").read_text(encoding="utf-8")
    for name in REGIMES:
        for generation in (1, 2):
            lines = [line for line in printed.splitlines() if line.startswith(f"{name:<9}")]
            assert f"{generation}/2" in lines[generation - 1]


def test_a_killed_run_goes_on_to_the_same_results(
    tmp_path: Path,
    uninterrupted: tuple[Path, str],
    human_text: Path,
    environment: dict[str, str],
) -> None:
    settings = settings_of(tmp_path, human_text)
    kill_at("replace   1/2", settings, environment, tmp_path)
    assert "mixguard" not in read(tmp_path)["regimes"]
    printed = finish(settings, environment, tmp_path)
    assert "human     1/2" not in printed, "what was done before the kill was done again"
    for name in ("results.json", "report.html", "collapse.png"):
        assert (tmp_path / name).read_bytes() == (uninterrupted[0] / name).read_bytes()


def test_a_folder_of_another_run_is_refused(
    tmp_path: Path,
    uninterrupted: tuple[Path, str],
    human_text: Path,
    environment: dict[str, str],
) -> None:
    output, _ = uninterrupted
    before = (output / "results.json").read_bytes()
    program = begin([*settings_of(output, human_text), "--seed", "1"], environment, tmp_path)
    program.read(PATIENCE_S)
    assert program.wait() == 1
    told = (tmp_path / "errors.txt").read_text(encoding="utf-8")
    assert "of a run with other seed" in told
    assert "Traceback" not in told
    assert (output / "results.json").read_bytes() == before


def test_two_processes_find_what_one_finds(
    tmp_path: Path,
    uninterrupted: tuple[Path, str],
    human_text: Path,
    environment: dict[str, str],
) -> None:
    settings = settings_of(tmp_path, human_text)
    forking.finish(_as_one_of_two, free_port(), settings, environment, str(tmp_path))
    first, second = ((tmp_path / f"{rank}.txt").read_text(encoding="utf-8") for rank in range(2))
    printed = first + second
    assert printed.count("human     1/2") == 1
    one, two = read(uninterrupted[0])["regimes"], read(tmp_path)["regimes"]
    for name in REGIMES:
        # The start is trained on two processes too, but what it writes hangs on larger margins
        # than the rounding that this changes.
        assert two[name][0]["texts"] == one[name][0]["texts"]
        for ours, theirs in zip(one[name], two[name], strict=True):
            assert theirs["perplexity"] == pytest.approx(ours["perplexity"], rel=1e-3)
            assert theirs["tail_retention"] == pytest.approx(ours["tail_retention"], rel=1e-2)


def test_generations_write_on_human_prompts_and_are_read_without(
    tmp_path: Path,
    human_text: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ("--prompt", "8", "--trainer", "sft", "--regimes", "mixguard", "guarded")
    asked = [*settings_of(tmp_path, human_text), *options]
    printed = finish(asked, environment, tmp_path)
    assert "guarded   2/2" in printed
    chains = read(tmp_path)["regimes"]
    assert [result["human_share"] for result in chains["guarded"]] == [1.0, 3 / 8, 3 / 8]
    decodings = [chain[-1]["decoding"] for chain in chains.values()]
    assert decodings == ["unknown", decodings[1]]
    assert decodings[1]["temperature"] == 0.8

    monkeypatch.setenv("XDG_CACHE_HOME", environment["XDG_CACHE_HOME"])
    settings = parse(asked)
    corpus, processes = load_corpus(str(human_text)), Processes(cpu=True)
    base = prepare_base_model(settings, corpus, processes)
    assert base.from_cache
    last = tmp_path / "state" / "guarded" / "0002"
    model, rows = (
        AutoModelForCausalLM.from_pretrained(last / "model"),
        np.load(last / "written.npy")[-1],
    )
    prompts = prepare_human_text(settings, corpus, base.tokenizer).prompts[2]
    assert rows.shape == (16, 32)
    assert np.array_equal(rows[:, :8], prompts)
    answers, free = (
        sample(
            model,
            num_sequences=16,
            length=settings.window - prompt.shape[-1],
            prompt_ids=prompt,
            decoding=settings.decoding,
            seed=int(np.random.SeedSequence((0, 2, key)).generate_state(1)[0]),
        ).numpy()
        for prompt, key in (
            (torch.from_numpy(prompts), 3),
            (torch.tensor([base.tokenizer.bos_token_id]), 2),
        )
    )
    assert np.array_equal(rows[:, 8:], answers)
    result = chains["guarded"][2]
    assert result["texts"] == base.tokenizer.batch_decode(free[:3])
    assert result["distinct_2"] == distinct_n(free, 2, budget=free.size)
