"""What an import costs: the core brings no optional package, and a missing one is named."""

import json
import subprocess
import sys

import pytest

from tests.packaging.layout import ROOT, core_modules

OPTIONAL = (
    "accelerate",
    "apprise",
    "datasets",
    "evaluate",
    "ignite",
    "jinja2",
    "lightning",
    "matplotlib",
    "peft",
    "pytorch_lightning",
    "scipy",
    "sklearn",
    "tokenizers",
    "torchmetrics",
    "tqdm",
    "transformers",
)


def _modules_added(statement: str, *, after: str = "pass") -> set[str]:
    script = f"""
import json, sys
{after}
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    return set(json.loads(_python(script)))


def _python(script: str) -> str:
    # The checkout and not an installed copy, whatever the environment holds.
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_only_itself_and_the_standard_library() -> None:
    added = _modules_added("import collapse_guard")
    assert "collapse_guard" in added
    foreign = {name.partition(".")[0] for name in added} - set(sys.stdlib_module_names)
    assert foreign == {"collapse_guard"}


def test_importing_the_adapter_packages_loads_no_framework() -> None:
    added = _modules_added("import collapse_guard.callbacks, collapse_guard.integrations")
    foreign = {name.partition(".")[0] for name in added} - set(sys.stdlib_module_names)
    assert foreign == {"collapse_guard"}


def test_the_whole_core_adds_no_optional_package_to_torch() -> None:
    added = _modules_added(f"import {', '.join(core_modules())}", after="import numpy, torch")
    assert set(core_modules()) <= added
    assert {name.partition(".")[0] for name in added}.isdisjoint(OPTIONAL)


def test_the_whole_core_works_where_no_optional_package_is_installed() -> None:
    _python(f"""
import sys
import torch
sys.modules.update(dict.fromkeys({OPTIONAL!r}))
import {", ".join(core_modules())}
from collapse_guard import *
""")


def test_a_loop_of_ones_own_is_watched_without_an_optional_package() -> None:
    added = _modules_added(
        "from collapse_guard.callbacks import WatchSession", after="import numpy, torch"
    )
    assert "collapse_guard.callbacks.session" in added
    assert {name.partition(".")[0] for name in added}.isdisjoint(OPTIONAL)


@pytest.mark.parametrize(
    ("package", "extra", "statement"),
    [
        (
            "transformers",
            "huggingface",
            "from collapse_guard.callbacks import CollapseGuardCallback",
        ),
        ("transformers", "huggingface", "import collapse_guard.callbacks.huggingface.callback"),
        ("lightning", "lightning", "from collapse_guard.callbacks import CollapseGuard"),
        ("lightning", "lightning", "import collapse_guard.callbacks.lightning.callback"),
    ],
)
def test_callback_without_its_framework_says_what_to_install(
    package: str, extra: str, statement: str
) -> None:
    output = _python(f"""
import sys
sys.modules[{package!r}] = None
from collapse_guard import MissingExtraError
try:
    {statement}
except MissingExtraError as error:
    print(error)
""")
    assert f'pip install "collapse_guard[{extra}]"' in output


@pytest.mark.parametrize(
    ("package", "module", "extra"),
    [
        ("datasets", "mixed_dataset", "huggingface"),
        ("torchmetrics", "torchmetrics", "lightning"),
        ("evaluate", "collapse.collapse", "evaluate"),
        ("evaluate", "output_diversity.output_diversity", "evaluate"),
        ("evaluate", "tail_probability.tail_probability", "evaluate"),
    ],
)
def test_integration_without_its_package_says_what_to_install(
    package: str, module: str, extra: str
) -> None:
    output = _python(f"""
import sys
sys.modules[{package!r}] = None
from collapse_guard import MissingExtraError
try:
    import collapse_guard.integrations.{module}
except MissingExtraError as error:
    print(error)
""")
    assert f'pip install "collapse_guard[{extra}]"' in output


def test_both_doors_to_the_callbacks_folder_lead_to_one_class() -> None:
    output = _python("""
import callbacks, collapse_guard.callbacks
print(callbacks.CollapseGuardCallback is collapse_guard.callbacks.CollapseGuardCallback)
""")
    assert output.strip() == "True"
