"""An optional package that is missing is told from one that is broken."""

from pathlib import Path

import pytest

from collapse_guard import MissingExtraError
from collapse_guard.extras import require


def test_missing_extra_says_what_to_install() -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "collapse_guard\[report\]"'):
        require("no_such_package.part", "report")
    assert require("json", "report").dumps([]) == "[]"


def test_broken_packages_are_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency") as caught:
        require("broken_package", "report")
    assert not isinstance(caught.value, MissingExtraError)
