"""The table of what to touch names files that are there, and a test for each thing to add."""

import re

from tests.docs.pages import CONTRIBUTING, ROOT, text_of


def additions() -> dict[str, tuple[list[str], list[str]]]:
    """For each thing to add, the files to touch and the tests that show it."""
    text = text_of(CONTRIBUTING)
    section = text[text.index("## To add something") : text.index("## Tests")]
    rows = re.findall(r"^\| (an? [^|]+) \| ([^|]+) \| ([^|]+) \|$", section, flags=re.MULTILINE)
    files = re.compile(r"`([\w./]+)`")
    return {what: (files.findall(touched), files.findall(shown)) for what, touched, shown in rows}


def test_all_that_can_be_added_is_named() -> None:
    wanted = (
        *("a reading", "a rule", "a sink", "a source container", "a filter", "a framework"),
        "a regime of the example",
    )
    assert set(wanted) < set(additions())


def test_the_files_that_are_named_are_there() -> None:
    for what, (touched, shown) in additions().items():
        assert touched, what
        assert shown, what
        for name in (*touched, *shown):
            assert (ROOT / name).exists(), f"{what}: {name}"


def test_every_test_of_adding_is_named_once() -> None:
    named = sorted(name for _, shown in additions().values() for name in shown)
    there = (ROOT / "tests" / "extending").glob("test_*.py")
    assert named == sorted(path.relative_to(ROOT).as_posix() for path in there)
