import ast

import pytest

from collapse_guard.integrations.command_line.training_code.bindings import Names
from collapse_guard.integrations.command_line.training_code.kinds import Kind, Kinds

HEAD = """
import transformers as hf, lightning.pytorch as pl, pytorch_lightning
from trl import GRPOTrainer as G, RewardTrainer
from setfit import Trainer as Other
class A(B): ...
class B(hf.Seq2SeqTrainer): ...
class C(Generic[T], A): ...
def make(): return one()
def one():
    def inner(): return 1
    made = C()
    return made
"""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hf.Trainer(m)", Kind("huggingface", "Trainer", True)),
        ("G(m)", Kind("huggingface", "GRPOTrainer", True)),
        ("C(m)", Kind("huggingface", "C", False)),
        ("make()", Kind("huggingface", "C", False)),
        ("lib.make()", Kind("huggingface", "C", False)),
        ("G(m) if a else None", Kind("huggingface", "GRPOTrainer", True)),
        ("pl.Trainer()", Kind("lightning", "Trainer", True)),
        ("pytorch_lightning.Trainer()", Kind("pytorch_lightning", "Trainer", True)),
        ("pl.LightningModule()", None),
        ("hf.TrainingArguments()", None),
        ("RewardTrainer(m)", None),
        ("Other(m)", None),
        ("inner()", None),
        ("unknown()", None),
        ("hf.Trainer", None),
    ],
)
def test_an_expression_is_of_a_kind(text: str, kind: Kind | None) -> None:
    names = Names(ast.parse(f"{HEAD}\nx = {text}"))
    assert Kinds([names]).of(names, names.of_name("x", names.tree)[0].value) == kind


def test_frameworks_are_those_that_are_imported() -> None:
    names = Names(ast.parse(HEAD))
    assert Kinds([names]).frameworks == {"huggingface", "lightning", "pytorch_lightning"}
    assert Kinds([Names(ast.parse("import torch"))]).frameworks == set()


def test_what_is_made_of_itself_ends() -> None:
    names = Names(ast.parse("x = x\ny = z if a else y\nz = y\ndef f(): return f()\nx, y"))
    kinds = Kinds([names])
    assert [kinds.of(names, binding.value) for binding in names.bindings] == [None] * 3
