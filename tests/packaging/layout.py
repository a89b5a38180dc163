"""Where the checkout is and which packages and modules its folders hold."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "collapse_guard"
LINKED = ("callbacks", "examples", "integrations")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def module_files() -> dict[str, Path]:
    """Every module of the package by its dotted name, links followed and packages included."""
    files = [
        path
        for folder in (PACKAGE, *(PACKAGE / name for name in LINKED))
        for path in folder.rglob("*.py")
    ]
    names = {}
    for path in files:
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def package_names() -> list[str]:
    return sorted(name for name, path in module_files().items() if path.name == "__init__.py")


def core_modules() -> list[str]:
    """The modules that must do with torch, numpy and the standard library."""
    adapters = tuple(f"collapse_guard.{name}." for name in LINKED)
    return sorted(name for name in module_files() if not f"{name}.".startswith(adapters))
