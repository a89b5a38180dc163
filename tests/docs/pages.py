"""The documents, and what is written in them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
CONTRIBUTING = ROOT / "CONTRIBUTING.md"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(page: Path) -> list[str]:
    """Each block of Python, in order."""
    return re.findall(r"```python\n(.*?)```", text_of(page), flags=re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()
