from pathlib import Path

from collapse_guard.integrations.command_line.audit import audited
from collapse_guard.integrations.command_line.texts import Texts, open_texts
from tests.integrations.command_line.cases import saved_models, text_file


def opened(tmp_path: Path) -> tuple[Texts, Texts]:
    human = text_file(tmp_path / "human.txt", seed=0)
    cold = text_file(tmp_path / "cold.txt", seed=1, temperature=0.6)
    return open_texts("HUMAN", human), open_texts("SYNTHETIC", cold)


def test_files_are_compared(tmp_path: Path) -> None:
    audit, temperatures = audited(*opened(tmp_path), model=None, tokenizer=None)
    assert not audit.is_fit
    assert audit.human.texts == audit.synthetic.texts == 200
    assert temperatures == {}
    assert [one.unit for one in audit.coverage] == ["words"] * 3


def test_a_model_says_how_sharp_they_are(tmp_path: Path) -> None:
    model, _ = saved_models(tmp_path)
    audit, temperatures = audited(*opened(tmp_path), model=model, tokenizer=None)
    assert list(temperatures) == ["human", "synthetic"]
    assert all(each.rows > 0 for each in temperatures.values())
    assert audit.coverage[-1].unit == "tokens"
