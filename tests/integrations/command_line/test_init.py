import json
import runpy
import sys
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.init import looked_at
from tests.integrations.command_line.training_code.scripts import changed, looked, notebook


def test_what_is_watched_already_is_said_and_left_alone(tmp_path: Path) -> None:
    seen = looked(
        tmp_path,
        a_py="from collapse_guard import watch\nimport trl\nt = trl.SFTTrainer()\nt.train()\n",
        b_py="import collapse_guard.mixing\nimport trl\nt = trl.SFTTrainer()\nt.train()\n",
        c_py="from .collapse_guard import watch\n",
        d_yaml="base_model: a\ndatasets: []\nadapter: lora\nplugins: [collapse_guard.x]\n",
    )
    assert seen.already == (
        "a.py:1 imports collapse_guard.watch",
        "b.py:1 imports collapse_guard.mixing",
        "d.yaml:4 names collapse_guard (settings of Axolotl)",
    )
    assert [each.place for each in seen.found] == ["b.py:4"]
    assert seen.files == 4


def test_files_near_the_top_come_first(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/a.py", "z.py"):
        (tmp_path / name).write_text("import trl\nt = trl.SFTTrainer()\nt.train()\n")
    (tmp_path / "bad.yaml").write_text("a: [")
    seen = looked_at(tmp_path)
    assert [each.place for each in seen.found] == ["z.py:3", "a/a.py:3"]
    assert seen.skipped == ("bad.yaml: is no YAML of one document",)
    assert json.loads(json.dumps(seen.to_dict()))["files"] == 3


def test_lines_of_a_notebook_are_counted_in_its_cells(tmp_path: Path) -> None:
    seen = looked(
        tmp_path, a_ipynb=notebook("import trl", "t = trl.SFTTrainer()", "!ls\nt.train()\n")
    )
    (found,) = seen.found
    assert found.place == "a.ipynb:cell 6:2"
    assert found.edits[0].where == "before line 2"


def test_a_loop_over_cells_is_told_in_words(tmp_path: Path) -> None:
    text = notebook("def f():\n    pass\nx = 1", "for b in l:\n    b.backward()\n    opt.step()")
    (found,) = looked(tmp_path, a_ipynb=text).found
    assert [edit.where for edit in found.edits] == ["before line 1", "after line 3"]


def test_without_yaml_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    seen = looked(tmp_path, a_yaml="a: 1", b_py="import trl\ntrl.SFTTrainer().train()\n")
    assert seen.skipped == ("YAML files: `pip install pyyaml` to have them read",)
    assert len(seen.found) == 1


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="`FOLDER` expected a folder"):
        looked_at(tmp_path / "none")


HAVE = """
    import torch
    from transformers import Trainer, TrainingArguments
    from tests.callbacks.one_call.people import people_write, token_ids, word_tokenizer
    from tests.tiny import tiny_gpt2

    held_out_texts = people_write(40, seed=7)
    tokenizer, model = word_tokenizer(), tiny_gpt2()
    rows = [{"input_ids": ids, "labels": ids} for ids in token_ids(people_write(64))]
    arguments = TrainingArguments(
        "out", max_steps=2, report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no"
    )
    """

SCRIPTS = {
    "a Trainer": """
        trainer = Trainer(model, arguments, train_dataset=rows)
        trainer.train()
        """,
    "a Trainer with an evaluation set, twice trained": """
        class Mine(Trainer):
            pass

        def build():
            return Trainer(
                model, arguments, train_dataset=rows, processing_class=tokenizer
            )

        trainer = build()
        for _ in range(1):
            if model.training:
                trainer.train()
            else:
                trainer.train()
        """,
    "made where it trains": """
        Trainer(
            model, arguments, train_dataset=rows[:32], eval_dataset=rows[32:],
            processing_class=tokenizer,
        ).train()
        """,
    "a loop": """
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(2):
            for row in rows[:2]:
                ids = torch.tensor([row["input_ids"]])
                model(input_ids=ids, labels=ids).loss.backward()
                if epoch >= 0: optimizer.step()
        """,
    "Lightning": """
        import lightning as L
        from tests.callbacks.lightning.runs import LanguageModule
        ids = torch.tensor([row["input_ids"] for row in rows])
        L.Trainer(
            max_steps=2, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, barebones=False,
        ).fit(
            LanguageModule(model), torch.utils.data.DataLoader(ids, batch_size=8)
        )
        """,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_with_its_lines_a_script_is_watched(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
) -> None:
    text = dedent(HAVE) + dedent(script)
    (found,) = looked(tmp_path, train_py=text).found
    assert found.edits, found.notes
    path = tmp_path / "train.py"
    path.write_text(changed(text, found.edits))
    monkeypatch.chdir(tmp_path)
    ran: dict[str, Any] = runpy.run_path(str(path), run_name="__main__")
    assert ran
    told = capsys.readouterr().out
    assert "collapse_guard watches" in told, indent(path.read_text(), "    ")
    # The end of the run is told too.
    assert "kept" in told
