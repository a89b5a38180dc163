"""The layout keeps to its figures, and each module has its test where one looks for it."""

import ast
import sys
from pathlib import Path
from types import CodeType, FrameType

import pytest

from collapse_guard import CollapseMonitor
from tests.paces import Scripted
from tests.packaging.layout import LINKED, PACKAGE, ROOT, module_files
from tests.packaging.lines import lines_of_code
from tests.tiny import tiny_gpt2, tiny_panel

TESTED_TOGETHER = {
    "integrations/collapse/collapse.py": "integrations/test_evaluate_modules.py",
    "integrations/evaluate_settings.py": "integrations/test_evaluate_modules.py",
    "integrations/output_diversity/output_diversity.py": "integrations/test_evaluate_modules.py",
    "integrations/tail_probability/tail_probability.py": "integrations/test_evaluate_modules.py",
}
"""Modules of one make that are tested by one file."""

LAZY = ("collapse_guard", "collapse_guard.callbacks", "collapse_guard.integrations")
"""The faces, which name the homes of what they offer in strings, as `_HOME`."""

ABOVE_THE_CORE = frozenset({"watch"})
"""Names of the core's face whose home lies above the core."""

FILES = sorted(path.resolve().relative_to(ROOT).as_posix() for path in module_files().values())


def source_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def test_few_modules_stand_at_the_root() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 10


@pytest.mark.parametrize("file", FILES)
def test_no_file_is_long(file: str) -> None:
    assert lines_of_code(source_of(file)) <= 200


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith("examples/")])
def test_a_module_has_its_test_at_the_mirrored_path(file: str) -> None:
    path = Path(file.removeprefix("collapse_guard/"))
    if path.name != "__init__.py":
        mirrored = TESTED_TOGETHER.get(file, str(path.with_name(f"test_{path.name}")))
        assert (ROOT / "tests" / mirrored).is_file()


def test_no_exception_is_left_over() -> None:
    assert set(TESTED_TOGETHER) <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_no_import_of_the_package_hides_in_a_string(file: str) -> None:
    """Only a face calls `import_module` on the package's own; others ask for optional packages."""
    for node in ast.walk(ast.parse(source_of(file))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        if called not in ("import_module", "__import__", "require", "find_spec"):
            continue
        argument = node.args[0] if node.args else None
        if isinstance(argument, ast.Constant):
            assert not str(argument.value).startswith(("collapse_guard", *LINKED)), file
        elif file not in ("collapse_guard/extras.py",):
            assert called == "import_module", f"{file}: {ast.unparse(node)}"
            assert "_HOME[name]" in ast.unparse(node), f"{file}: {ast.unparse(node)}"
            assert file in faces(), file


def faces() -> set[str]:
    return {module_files()[name].resolve().relative_to(ROOT).as_posix() for name in LAZY}


def test_the_core_s_face_offers_what_is_in_the_core() -> None:
    homes = {
        key.value: value.value
        for node in ast.parse(source_of("collapse_guard/__init__.py")).body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "_HOME"
        and isinstance(node.value, ast.Dict)
        for key, value in zip(node.value.keys, node.value.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
    }
    assert homes
    above = {name for name, home in homes.items() if home.split(".")[0] in LINKED}
    assert above == ABOVE_THE_CORE


class Watch:
    """Follows calls through the package: into which file each goes, and out of which.

    A way that is gone once for each rule, or each reading, is one to follow.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.moves: set[tuple[CodeType, CodeType]] = set()

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if event != "call" or not is_ours(file):
            return
        caller = frame.f_back
        while caller and not is_ours(caller.f_code.co_filename):
            caller = caller.f_back
        self.files.add(file)
        if caller is not None and caller.f_code.co_filename != file:
            self.moves.add((caller.f_code, frame.f_code))


def is_ours(file: str) -> bool:
    return file.startswith(f"{PACKAGE}/")


def test_a_small_look_can_be_followed() -> None:
    """Whoever reads how a look is taken opens a few files, and is not sent to and fro."""
    monitor, model = CollapseMonitor(tiny_panel(), pace=Scripted(4)), tiny_gpt2()
    monitor.start(model)
    watch = Watch()
    sys.setprofile(watch)
    try:
        look = monitor.observe(model, 1)
    finally:
        sys.setprofile(None)
    assert look
    assert not look.is_full
    # The test's own pace stands in for the budget's schedule, which is one file and one call more.
    assert len(watch.files) <= 14
    assert len(watch.moves) <= 30
