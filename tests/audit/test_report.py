import json
from pathlib import Path

import numpy as np
import pytest

from collapse_guard import HeldOutPanel, HumanReference, Source
from collapse_guard.audit import audit_rows
from collapse_guard.audit.report import AuditReport
from tests.audit.texts import WORDS, random_rows
from tests.tiny import zipf_documents

REFERENCE = HumanReference(np.where(np.arange(len(WORDS)) % 2, 100, 5))


def _panel_and_documents() -> tuple[HeldOutPanel, list[list[int]]]:
    documents = random_rows(12, seed=11, least=64, most=65)
    return HeldOutPanel.from_token_ids(documents, REFERENCE, window=32), documents


def test_nothing_found_is_said() -> None:
    human = Source(zipf_documents(5, seed=1), "human", "human")
    report = audit_rows([human, Source(zipf_documents(5, seed=2), "model", "synthetic")])
    assert report.is_clean
    assert str(report).startswith("10 rows checked: 5 of human, 5 of model\n")
    assert str(report).endswith("nothing found")
    assert report.bad_rows("human").tolist() == []
    with pytest.raises(KeyError):
        report.bad_rows("other")


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    panel, documents = _panel_and_documents()
    sources = [
        Source([*documents[:2], []], "human", "human"),
        Source([documents[0], [], *([documents[1]] * 7)], "model", "synthetic"),
    ]
    report = audit_rows(sources, panel=panel)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["num_rows"] == {"human": 3, "model": 9}
    assert plain["shared"][0]["rows"] == [0, *range(2, 9)]
    assert plain["shared"][0]["identical"] == [True] * 8
    assert plain["leaked"][1]["source"] == "model"
    assert plain["empty"][0] == {"source": "human", "rows": [2]}
    assert plain["is_clean"] is False
    shown = str(report)
    assert "model: 8 rows stand in human too, 8 identical and 0 nearly so: 0 like 0" in shown
    assert ", and 3 more" in shown
    assert isinstance(report, AuditReport)


def test_it_says_how_much_may_be_missed() -> None:
    source = Source([[1]], "human", "human")
    assert audit_rows([source], near=0.8).missed == pytest.approx(8.4e-5, rel=0.01)
    assert audit_rows([source], near=1.0).missed == 0
    assert audit_rows([source], near=None).missed == 0
