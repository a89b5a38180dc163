"""What is built is what is here: package list, links, versions, and the wheel used from afar."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import collapse_guard
from tests.packaging.layout import LINKED, PACKAGE, ROOT, module_files, package_names, pyproject

BUILD_INPUTS = (
    "CHANGELOG.md",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "constraints.txt",
    "pyproject.toml",
)

EVALUATE_MODULES = ("collapse", "output_diversity", "tail_probability")

IMPORT_EVERYTHING = """
import importlib, json, pkgutil, sys
import collapse_guard
names = [m.name for m in pkgutil.walk_packages(collapse_guard.__path__, "collapse_guard.")]
modules = [collapse_guard, *map(importlib.import_module, names)]
print(json.dumps({m.__name__: m.__file__ for m in modules}))
"""


def test_package_list_matches_folders() -> None:
    assert pyproject()["tool"]["setuptools"]["packages"] == package_names()


@pytest.mark.parametrize("name", LINKED)
def test_inner_folder_is_a_relative_link(name: str) -> None:
    assert (PACKAGE / name).is_symlink(), "clone with core.symlinks=true"
    assert os.readlink(PACKAGE / name) == f"../{name}"
    assert not (ROOT / name).is_symlink()


@pytest.mark.parametrize("name", LINKED)
def test_linked_folder_is_mapped(name: str) -> None:
    assert pyproject()["tool"]["setuptools"]["package-dir"][f"collapse_guard.{name}"] == name


@pytest.mark.parametrize("module", sorted(module_files()))
def test_all_is_sorted(module: str) -> None:
    for node in ast.parse(module_files()[module].read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            names = ast.literal_eval(node.value)
            assert names == sorted(set(names))


def test_every_direct_dependency_is_pinned_within_its_range() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    project = pyproject()["project"]
    extras = project["optional-dependencies"].values()
    wanted = map(Requirement, [*project["dependencies"], *(r for extra in extras for r in extra)])
    for requirement in wanted:
        if requirement.name != project["name"]:
            version = pinned[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement} but {version}"


def test_extra_all_holds_every_extra_for_users_of_one_machine() -> None:
    extras = pyproject()["project"]["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    engines = {"datatrove", "ray"}
    assert everything.extras == set(extras) - {"all", "dev", "real"} - engines


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built out of that sdist alone."""
    source = tmp_path_factory.mktemp("source")
    # A copy, because a build leaves files behind, and a later one would pick stale modules up.
    for name in BUILD_INPUTS:
        shutil.copy(ROOT / name, source)
    for name in (PACKAGE.name, *LINKED):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignore)
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target)]
    _run([*command, str(source)], cwd=target)
    return target


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs, without its dependencies."""
    target = tmp_path_factory.mktemp("site")
    (wheel,) = built.glob("*.whl")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile"]
    _run([*command, "--target", str(target), str(wheel)], cwd=target)
    return target


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"collapse_guard-{collapse_guard.__version__}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"collapse_guard", info}
    code = {str(path.relative_to(ROOT)) for path in module_files().values()}
    beside_code = {
        str(path.relative_to(ROOT))
        for folder in {path.parent for path in module_files().values()}
        for kind in ("README.md", "*.j2", "py.typed")
        for path in folder.glob(kind)
    }
    assert {
        f"collapse_guard/integrations/{name}/README.md" for name in EVALUATE_MODULES
    } < beside_code
    assert {n for n in names if not n.startswith(info)} == code | beside_code
    assert f"{info}/licenses/LICENSE" in names


@pytest.mark.slow
def test_sdist_holds_each_source_once_where_it_really_lies(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    code = {str(path.resolve().relative_to(ROOT)) for path in module_files().values()}
    assert sorted(name for name in names if name.endswith(".py")) == sorted(code)
    assert set(BUILD_INPUTS) <= set(names)


@pytest.mark.slow
def test_every_module_imports_from_the_wheel_outside_of_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    found = json.loads(_run([sys.executable, "-c", IMPORT_EVERYTHING], tmp_path, path=installed))
    assert sorted(found) == sorted(module_files())
    for name, file in found.items():
        assert Path(file).is_relative_to(installed), f"{name} came from {file}"


@pytest.mark.slow
def test_evaluate_loads_its_modules_from_the_wheel_outside_of_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    script = f"""
import evaluate, json
from collapse_guard.integrations import evaluate_path
paths = [evaluate_path(name) for name in {EVALUATE_MODULES}]
names = [evaluate.load(path).name for path in paths]
print(json.dumps([paths, names]))
"""
    paths, names = json.loads(_run([sys.executable, "-c", script], tmp_path, path=installed))
    assert names == list(EVALUATE_MODULES)
    for name, path in zip(names, paths, strict=True):
        assert Path(path).is_relative_to(installed)
        assert (Path(path) / "README.md").read_text(encoding="utf-8").startswith(f"# {name}\n")


@pytest.mark.slow
def test_installed_metadata_names_version_licence_and_extras(
    installed: Path, tmp_path: Path
) -> None:
    script = """
import json
from importlib.metadata import metadata
m = metadata("collapse_guard")
print(json.dumps([m["Version"], m["License-Expression"], m.get_all("Provides-Extra")]))
"""
    version, licence, extras = json.loads(
        _run([sys.executable, "-c", script], tmp_path, path=installed)
    )
    assert version == collapse_guard.__version__
    assert licence == "Apache-2.0"
    assert set(extras) == set(pyproject()["project"]["optional-dependencies"])


def _run(command: list[str], cwd: Path, path: Path | None = None) -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
