import ast
from pathlib import Path

import pytest

from tests.integrations.command_line.training_code.scripts import added, changed, found_in

WATCH = "watch(trainer, held_out=held_out_texts)"
TRL = "from trl import SFTTrainer, DPOTrainer\n"

PLACES = {
    "at the top": (
        TRL + "trainer = SFTTrainer(model=model)\ntrainer.train()\n",
        [f"{WATCH} | trainer.train()"],
    ),
    "in a function, with the result kept": (
        TRL
        + "def main():\n    t = SFTTrainer(m)\n    out = t.train(resume_from_checkpoint=True)\n",
        ["watch(t, held_out=held_out_texts) | out = t.train(resume_from_checkpoint=True)"],
    ),
    "made in another function": (
        TRL + "def build():\n    made = SFTTrainer(m)\n    return made\n\nt = build()\nt.train()\n",
        ["watch(t, held_out=held_out_texts) | t.train()"],
    ),
    "two, one after the other": (
        TRL
        + "trainer = SFTTrainer(m)\ntrainer.train()\ntrainer = DPOTrainer(m)\ntrainer.train()\n",
        [f"{WATCH} | trainer.train()"] * 2,
    ),
    "two names": (
        TRL + "a, b = SFTTrainer(m), DPOTrainer(m)\na.train()\nb.train()\n",
        [
            "watch(a, held_out=held_out_texts) | a.train()",
            "watch(b, held_out=held_out_texts) | b.train()",
        ],
    ),
    "in both branches": (
        TRL
        + "trainer = SFTTrainer(m)\nif last:\n    trainer.train(last)\nelse:\n    trainer.train()",
        [f"{WATCH} | if last:"],
    ),
    "in an elif": (
        TRL + "trainer = SFTTrainer(m)\nif a:\n    pass\nelif trainer.train():\n    pass\n",
        [f"{WATCH} | if a:"],
    ),
    "in a loop that it is made outside of": (
        TRL + "trainer = SFTTrainer(m)\nfor _ in range(3):\n    trainer.train()\n",
        [f"{WATCH} | for _ in range(3):"],
    ),
    "in a loop that it is made in": (
        TRL + "for m in models:\n    trainer = SFTTrainer(m)\n    trainer.train()\n",
        [f"{WATCH} | trainer.train()"],
    ),
    "after a semicolon": (
        TRL + "trainer = SFTTrainer(m)\nlog('go'); trainer.train()\n",
        [f"{WATCH} | log('go'); trainer.train()"],
    ),
    "of several lines": (
        TRL + "trainer = SFTTrainer(\n    m,\n)\nout = (\n    trainer\n    .train()\n)\n",
        [f"{WATCH} | out = ("],
    ),
    "of an object": (
        TRL
        + "class Run:\n    def __init__(self):\n        self.t = SFTTrainer(m)\n"
        + "    def go(self):\n        with self.timer:\n            self.t.train()\n",
        ["watch(self.t, held_out=held_out_texts) | self.t.train()"],
    ),
    "a class of one's own": (
        "import transformers as hf\nclass Mine(hf.Trainer):\n    pass\nx = Mine(m)\nx.train()\n",
        ["watch(x, held_out=held_out_texts) | x.train()"],
    ),
    "by an annotation": (
        TRL + "async def go(job: 'SFTTrainer'):\n    await to_thread(job.train)\n",
        ["watch(job, held_out=held_out_texts) | await to_thread(job.train)"],
    ),
    "by its name": (
        "import transformers\ndef go(my_trainer):\n    my_trainer.train()\n",
        ["watch(my_trainer, held_out=held_out_texts) | my_trainer.train()"],
    ),
    "with star": (
        "from transformers import *\nt = Trainer(m, processing_class=tok)\nt.train()\n",
        ["watch(t, held_out=held_out_texts) | t.train()"],
    ),
    "made where it trains": (
        TRL + "def go():\n    return SFTTrainer(\n        m,\n    ).train(resume=é)\n",
        [f"{WATCH} | return trainer.train(resume=é)"],
    ),
    "made where it trains, by a function": (
        TRL + "def b():\n    return SFTTrainer(m)\n\nb().train()  # go\n",
        [f"{WATCH} | trainer.train()  # go"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
def test_lines_come_right_before_it_trains(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = found_in(tmp_path, text)
    edits = tuple(edit for each in found for edit in each.edits)
    assert added(text, edits) == expected
    result = changed(text, edits)
    ast.parse(result)
    # What stood there is still there, in its order.
    assert result.count("from collapse_guard import watch\n") == len(expected)


def test_it_is_told_what_it_is_and_where(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, PLACES["at the top"][0])
    assert (found.place, found.what) == ("train.py:3", "SFTTrainer `trainer` trains here")
    assert found.edits[0].where == "before line 3"
    assert found.notes[0].startswith("held_out_texts: human texts")
    (found,) = found_in(tmp_path, PLACES["by its name"][0])
    assert found.what == "`my_trainer` trains here (by its name: nothing here says what it is)"
    (found,) = found_in(tmp_path, PLACES["made where it trains"][0])
    assert found.edits[0].where == "instead of lines 3 to 5"


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ("m, args", "watch(t, tokenizer=tok, held_out=held_out_texts)"),
        ("m, args, None, rows, rows, tok", "watch(t, held_out=held_out_texts)"),
        ("m, **more", "watch(t, held_out=held_out_texts)"),
        ("m, processing_class=tok", "watch(t, held_out=held_out_texts)"),
        (
            "m, processing_class=tok, eval_dataset=rows['test']",
            "watch(t, held_out=t.eval_dataset)",
        ),
        ("m, processing_class=tok, eval_dataset=None", "watch(t, held_out=held_out_texts)"),
        ("m, processing_class=tok, eval_dataset={'a': b}", "watch(t, held_out=held_out_texts)"),
    ],
)
def test_it_gets_what_the_file_has(tmp_path: Path, arguments: str, call: str) -> None:
    text = f"""
        from transformers import AutoTokenizer, Trainer
        tok = AutoTokenizer.from_pretrained("x")
        t = Trainer({arguments})
        t.train()
        """
    (found,) = found_in(tmp_path, text)
    assert found.edits[0].lines == ("from collapse_guard import watch", call)


def test_a_tokenizer_that_is_nowhere_is_told_of(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, "from transformers import Trainer\nt = Trainer(m)\nt.train()\n")
    assert "tokenizer=tokenizer" in found.edits[0].lines[1]
    assert any(note.startswith("tokenizer: the model's") for note in found.notes)


LIGHTNING = {
    "import lightning as L\nL.Trainer().fit(module)\n": (
        "watch(trainer, model=module, tokenizer=tokenizer, held_out=held_out_texts)",
        "trainer.fit(module)",
    ),
    "import lightning as L\nout = L.Trainer(\n).fit(Net(\n), data)\n": (
        "watch(trainer, model=module, tokenizer=tokenizer, held_out=held_out_texts)",
        "out = trainer.fit(module, data)",
    ),
    "import lightning.pytorch as pl\nt = pl.Trainer()\nt.fit(net, data)\n": (
        "watch(t, model=net, tokenizer=tokenizer, held_out=held_out_texts)",
        "t.fit(net, data)",
    ),
    "from lightning import Trainer\ntok = AutoTokenizer.x()\nt = Trainer()\nt.fit(model=Net())\n": (
        "watch(t, model=module, tokenizer=tok, held_out=held_out_texts)",
        "t.fit(model=module)",
    ),
    "import lightning as L\nclass M(L.LightningModule):\n    def __init__(self, t):\n"
    "        self.tokenizer = t\nt = L.Trainer()\nt.fit(m)\n": (
        "watch(t, model=m, held_out=held_out_texts)",
        "t.fit(m)",
    ),
}


@pytest.mark.parametrize(("text", "expected"), LIGHTNING.items())
def test_lightning_is_told_apart_by_what_is_imported(
    tmp_path: Path, text: str, expected: tuple[str, str]
) -> None:
    (found,) = found_in(tmp_path, text)
    assert added(text, found.edits) == [" | ".join(expected)]


def test_the_other_package_of_lightning_is_told_of(tmp_path: Path) -> None:
    text = "import pytorch_lightning as pl\nt = pl.Trainer()\nt.fit(m)\n"
    (found,) = found_in(tmp_path, text)
    assert any(
        "import Trainer and LightningModule from lightning.pytorch" in n for n in found.notes
    )


@pytest.mark.parametrize(
    "text",
    [
        "model.train()\n",
        "from transformers import Trainer\nmodel.train()\nTrainer\n",
        "from setfit import Trainer\nimport transformers\ntrainer = Trainer(m)\ntrainer.train()\n",
        "class Trainer:\n    pass\nimport trl\ntrainer = Trainer()\ntrainer.train()\n",
        "from sklearn.svm import SVC\nSVC().fit(x)\n",
        "import lightning as L\nL.Trainer().test(m)\n",
        "from lightning import Trainer\nt = Trainer()\nt.train()\n",
    ],
)
def test_what_is_no_trainer_of_theirs_is_left_alone(tmp_path: Path, text: str) -> None:
    assert found_in(tmp_path, text) == []


def test_classes_and_functions_of_other_files_are_known(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        "from lib import Mine, build\na = Mine(m)\na.train()\nb = build()\nb.train()\n",
        lib_py="""
            from transformers import Trainer
            class Ours(Trainer): ...
            class Mine(Ours): ...
            def build(): return make()
            def make(): return Ours(1)
            """,
    )
    assert [each.what for each in found] == ["Mine `a` trains here", "Ours `b` trains here"]


def test_where_no_line_can_be_put_in_it_is_said_in_words(tmp_path: Path) -> None:
    text = TRL + "t = SFTTrainer(m); t.train()\n"
    (found,) = found_in(tmp_path, text)
    assert found.edits == ()
    assert found.notes[0].startswith("right before it trains, once: from collapse_guard")
