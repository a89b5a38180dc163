"""What the checks run on, and whether it has what they need."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from packaging.requirements import Requirement

from tests.packaging.layout import pyproject

TOLD = ("transformers", "accelerate", "peft", "numpy")


def unmet() -> Iterator[str]:
    """What this Python lacks of what the checks need, each in a few words."""
    project = pyproject()["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["huggingface"]]
    for requirement in map(Requirement, wanted):
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement} (not installed)"
            continue
        # A build for one kind of processor calls itself 2.13.0+cpu, a nightly one 2.14.0.dev.
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement} (found {found})"


def description() -> dict[str, Any]:
    """Card, driver, versions and date."""
    import torch

    cuda = torch.cuda.is_available()
    told: dict[str, Any] = {"device": torch.cuda.get_device_name() if cuda else "a CPU"}
    if cuda:
        memory = torch.cuda.get_device_properties(0).total_memory
        told |= {
            "memory": f"{memory / 2**30:.0f} GiB",
            "driver": _driver(),
            "CUDA": torch.version.cuda,
        }
    told |= {"processors": os.cpu_count(), "Python": platform.python_version()}
    told |= {"torch": torch.__version__, **{name: version(name) for name in TOLD}}
    return told | {"date": date.today().isoformat()}


def file_name(told: dict[str, Any]) -> str:
    """A name for results from there."""
    return re.sub(r"[^a-z0-9]+", "-", str(told["device"]).lower()).strip("-") + ".json"


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
    try:
        found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()
