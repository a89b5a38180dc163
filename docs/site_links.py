"""Puts the pages of the whole repository on the site, and lets links among them lead there.

The pages are written to be read in the repository: a page of docs/ links to ../README.md, and the
README to docs/. On the site docs/ is the top, and all else lies below repository/.
"""

import posixpath
import re
import subprocess
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = "repository"
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_KINDS = (".md", ".png", ".svg", ".py", ".toml", ".txt", ".cff")


def on_files(files: Files, config: Any) -> Files:
    """Add what lies outside of docs/ and can be linked to."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        is_page = name.endswith(_KINDS) or name == "LICENSE"
        # What lies behind a link lies in its own folder too.
        if is_page and not name.startswith("docs/") and (ROOT / name).is_file():
            place = f"{OUTSIDE}/{name}"
            files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at where pages are on the site."""
    here = page.file.src_uri
    at = place_in_repository(here)

    def pointed(found: re.Match[str]) -> str:
        target, _, anchor = found[2].partition("#")
        if not target or ":" in target:
            return found[0]
        there = place_on_site(posixpath.normpath(posixpath.join(posixpath.dirname(at), target)))
        link = posixpath.relpath(there, posixpath.dirname(here) or ".")
        return f"{found[1]}{link}{'#' * bool(anchor)}{anchor}{found[3]}"

    return _LINK.sub(pointed, markdown)


def place_in_repository(place: str) -> str:
    """Where a page of the site lies in the repository."""
    outside = f"{OUTSIDE}/"
    return place.removeprefix(outside) if place.startswith(outside) else f"docs/{place}"


def place_on_site(place: str) -> str:
    """Where something of the repository lies on the site."""
    return place.removeprefix("docs/") if place.startswith("docs/") else f"{OUTSIDE}/{place}"
