import json

from collapse_guard.audit import TextAudit, audit_texts
from tests.audit.comparison.languages import zipf_texts


def audited(synthetic: list[str]) -> TextAudit:
    return audit_texts(zipf_texts(300, seed=0), synthetic)


def test_fresh_text_is_fit() -> None:
    audit = audited(zipf_texts(300, seed=1))
    assert audit.is_fit
    assert not audit.findings
    assert str(audit).endswith("nothing speaks against it")


def test_what_speaks_against_text_is_said() -> None:
    audit = audited(zipf_texts(300, seed=1, temperature=0.6))
    assert not audit.is_fit
    assert audit.findings[0].startswith("rare words come 0.")
    assert "rare words are there" in audit.findings[1]
    assert "against it: rare words come" in str(audit)

    fresh = zipf_texts(300, seed=1)
    audit = audited([*fresh, *fresh[:30], *zipf_texts(300, seed=0)[:30], *[" "] * 30])
    assert [finding.partition(" ")[2] for finding in audit.findings] == [
        "of the synthetic texts stand in the human text, where 1% is let pass",
        "of the synthetic texts repeat others, where 5% is let pass",
        "of the synthetic texts are empty, where 1% is let pass",
    ]


def test_it_goes_into_json_by_name() -> None:
    audit = audited(zipf_texts(300, seed=1, temperature=0.6))
    plain = json.loads(json.dumps(audit.to_dict(), allow_nan=False))
    assert plain["coverage"][0]["frequency"]["value"] == audit.coverage[0].frequency.value
    assert plain["runs"]["vanished"][0]["words"] == audit.runs.vanished[0].words
    assert plain["is_fit"] is False
    assert len(plain["findings"]) == 2
    assert plain["share"]["target"] == 0.9
    assert plain["human"]["texts"] == 300
    assert plain["forms"][0]["source"] == "synthetic"
