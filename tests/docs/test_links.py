"""What documents point at is there."""

import re
from pathlib import Path

import pytest

import collapse_guard
from tests.docs.pages import CONTRIBUTING, DOCS, README, ROOT, name_of, text_of
from tests.packaging.layout import module_files

CARDS = sorted(
    [*ROOT.glob("examples/*/README.md"), *ROOT.glob("integrations/*/README.md")], key=name_of
)
PAGES = [README, CONTRIBUTING, ROOT / "CHANGELOG.md", *DOCS, *CARDS]
FOLDERS = ("callbacks", "collapse_guard", "docs", "examples", "integrations", "tests", ".ci")


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    heads = re.findall(r"^#+ (.+)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    for link in links:
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(r"`([\w./]+/[\w./]*|\w+\.(?:py|md|toml|txt))`", text_of(page))
    for name in named:
        if name.partition("/")[0] in FOLDERS:
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_modules_and_names_of_the_package_are_there(page: Path) -> None:
    modules = module_files()
    for name in re.findall(r"\bcollapse_guard(?:\.\w+)+", text_of(page)):
        parent, _, last = name.rpartition(".")
        if name in modules:
            continue
        assert parent in modules, name
        assert re.search(rf"\b{last}\b", modules[parent].read_text(encoding="utf-8")), name


@pytest.mark.parametrize("page", [README, *DOCS], ids=name_of)
def test_names_that_begin_a_call_are_exported(page: Path) -> None:
    """Classes that a page writes in its text are found where a reader looks for them."""
    for name in re.findall(r"`([A-Z][a-z]+[A-Z]\w+)\(", text_of(page)):
        code = "".join(path.read_text(encoding="utf-8") for path in module_files().values())
        assert name in collapse_guard.__all__ or re.search(rf"\b{name}\b", code), name


def test_nothing_is_said_to_be_on_an_index() -> None:
    for page in [README, CONTRIBUTING, *DOCS]:
        assert 'pip install "collapse_guard' not in text_of(page), page
