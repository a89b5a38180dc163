"""The site shows all pages and all names, and its links lead where those of the repository do."""

import importlib
import re
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest
import yaml

import collapse_guard
from tests.docs.pages import DOCS, ROOT

FACES = (
    "collapse_guard",
    "collapse_guard.audit",
    "collapse_guard.callbacks",
    "collapse_guard.integrations",
)
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def part_of_site(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("face", FACES)
def test_everything_that_is_offered_is_in_the_reference(face: str) -> None:
    shown = re.findall(r"^::: (\S+)$", REFERENCE, re.MULTILINE)
    assert len(shown) == len(set(shown))
    names = {name.rpartition(".")[2] for name in shown}
    assert set(importlib.import_module(face).__all__) - {"__version__"} <= names


def test_what_is_in_the_reference_is_there() -> None:
    for name in re.findall(r"^::: (\S+)$", REFERENCE, re.MULTILINE):
        module, _, member = name.rpartition(".")
        assert hasattr(importlib.import_module(module), member), name


def test_every_page_can_be_come_by() -> None:
    shown = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(shown)["nav"]

    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        entries = entry if isinstance(entry, list) else entry.values()  # type: ignore[attr-defined]
        return [page for each in entries for page in pages(each)]

    listed = pages(nav)
    assert {page.name for page in DOCS} <= set(listed)
    for page in listed:
        place = page.removeprefix("repository/")
        assert (ROOT / (place if page != place else f"docs/{page}")).is_file(), page


@pytest.mark.parametrize(
    ("page", "link", "on_site"),
    [
        ("watching.md", "alerts.md", "alerts.md"),
        ("watching.md", "../README.md#install", "repository/README.md#install"),
        ("watching.md", "#one-call", "#one-call"),
        ("watching.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("repository/README.md", "docs/watching.md", "../watching.md"),
        ("repository/README.md", "CONTRIBUTING.md", "CONTRIBUTING.md"),
        (
            "repository/examples/loops/README.md",
            "../../docs/readings.md#a",
            "../../../readings.md#a",
        ),
        ("repository/examples/traits/README.md", "traits.png", "traits.png"),
    ],
)
def test_links_lead_where_they_do_in_the_repository(page: str, link: str, on_site: str) -> None:
    class Page:
        class file:  # noqa: N801
            src_uri = page

    links = part_of_site("site_links")
    assert links.on_page_markdown(f"[a]({link}) b", Page) == f"[a]({on_site}) b"


def test_examples_of_docstrings_are_code() -> None:
    as_examples = part_of_site("site_docstrings").as_examples
    assert as_examples("Args:\n    a: b\n\nExample:\n    >>> 1\n    1") == (
        "Args:\n    a: b\n\nExamples:\n    >>> 1\n    1"
    )
    assert as_examples("Two lines::\n\n    code\n\n::\n\n    more") == (
        "Two lines:\n\n    code\n\n\n\n    more"
    )


def test_who_cites_it_cites_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == collapse_guard.__version__
    assert cited["license"] == "Apache-2.0"
