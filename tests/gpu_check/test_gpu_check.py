"""The checks in their small form, on whatever there is; and the command that runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu_check import machine
from tests.gpu_check.__main__ import main
from tests.gpu_check.checks import CHECKS
from tests.packaging.layout import ROOT

TRIED = [check.name for check in CHECKS if check.name != "compiled"]
"""A compiler takes most of a minute."""


@pytest.mark.slow
def test_the_checks_pass_in_small(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    command = [sys.executable, "-m", "tests.gpu_check", "--small", "--output", str(path)]
    done = subprocess.run(
        [*command, "--only", *TRIED], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(path.read_text(encoding="utf-8"))
    assert {check["name"]: check["status"] for check in results["checks"]} == dict.fromkeys(
        TRIED, "passed"
    )
    assert set(results["machine"]) >= {"device", "torch", "transformers", "date"}
    assert all(check["figures"] for check in results["checks"])
    assert path.with_suffix(".md").read_text(encoding="utf-8") in done.stdout
    assert path.with_suffix(".log").exists()


def test_without_a_gpu_nothing_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    path = tmp_path / "results.json"
    assert main(["--output", str(path)]) == 2
    assert "--small" in capsys.readouterr().err
    assert not path.exists()


def test_what_is_missing_is_told_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(machine.unmet()) == []
    installed = machine.version

    def version(name: str) -> str:
        if name == "peft":
            raise machine.PackageNotFoundError
        return "5.17.0" if name == "transformers" else installed(name)

    monkeypatch.setattr(machine, "version", version)
    assert main([]) == 2
    told = capsys.readouterr().err
    assert "found 5.17.0" in told
    assert "peft" in told
    assert "torch" not in told.split(":")[0]


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "nvidia-h100-80gb-hbm3.json"),
        ("a CPU", "a-cpu.json"),
    ],
)
def test_results_are_named_after_the_card(device: str, name: str) -> None:
    assert machine.file_name({"device": device}) == name
