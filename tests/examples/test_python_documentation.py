"""Human text out of a Python library, real and made up."""

import sysconfig
from pathlib import Path

import pytest

from collapse_guard.errors import CollapseGuardError
from collapse_guard.examples.recursive_finetune.python_documentation import (
    python_documents,
    python_topics,
)

PROSE = "A sentence of ordinary words that is long enough to count as prose."


def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    for name, source in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})


def documents_of_modules() -> dict[str, list[str]]:
    return {
        group: documents
        for group, documents in python_documents().items()
        if not group.startswith("topic ")
    }


def test_files_are_documents_and_top_level_names_are_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(
        tmp_path,
        monkeypatch,
        {
            "alone.py": f'"""First. {PROSE}"""\n\nclass A:\n    """Second. {PROSE}"""\n',
            "package/__init__.py": f'"""Third. {PROSE}"""',
            "package/inner/part.py": f'async def f():\n    """Fourth. {PROSE}"""',
            "silent.py": "x = 1",
            "site-packages/other.py": f'"""Other. {PROSE}"""',
            "package/tests/check.py": f'"""Check. {PROSE}"""',
            "encodings/cp1.py": f'"""Generated. {PROSE}"""',
        },
    )
    assert documents_of_modules() == {
        "alone": [f"First. {PROSE}\nSecond. {PROSE}"],
        "package": [f"Third. {PROSE}", f"Fourth. {PROSE}"],
    }


def test_only_prose_is_kept_and_no_paragraph_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paragraphs = [
        "Too short.",
        f">>> print('{PROSE}')",
        f"rule ::= {PROSE}",
        "0123456789 " * 10,
        f"Broken\n    over   lines. {PROSE}",
        PROSE,
        PROSE,
    ]
    library(
        tmp_path,
        monkeypatch,
        {
            "a.py": '"""' + "\n\n".join(paragraphs) + '"""',
            "b.py": f'"""{PROSE}"""',
        },
    )
    assert documents_of_modules() == {"a": [f"Broken over lines. {PROSE}\n{PROSE}"]}


def test_nothing_is_executed_and_broken_files_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(
        tmp_path,
        monkeypatch,
        {"a.py": f'"""{PROSE}"""\nraise SystemExit', "b.py": "def (", "c.py": "\0"},
    )
    assert documents_of_modules() == {"a": [PROSE]}


def test_a_python_without_sources_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(tmp_path, monkeypatch, {})
    with pytest.raises(CollapseGuardError, match="give a text with --dataset"):
        python_documents()


def test_this_python_has_enough_of_it() -> None:
    groups = python_documents()
    text = [document for documents in groups.values() for document in documents]
    paragraphs = [paragraph for document in text for paragraph in document.split("\n")]
    assert len(paragraphs) == len(set(paragraphs))
    assert sum(map(len, paragraphs)) > 1_000_000
    assert python_topics() == {name: groups[name] for name in groups if name.startswith("topic ")}
    assert "topic assert" in groups
    assert "asyncio" in groups
