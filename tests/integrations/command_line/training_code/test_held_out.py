import ast

import pytest

from collapse_guard.integrations.command_line.training_code.bindings import Names
from collapse_guard.integrations.command_line.training_code.held_out import (
    evaluation_set,
    named_tokenizer,
    tokenizer_name,
)
from collapse_guard.integrations.command_line.training_code.kinds import Kinds


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from transformers import AutoTokenizer as T\ntok = T.from_pretrained('x')\n", "tok"),
        ("def f(tokenizer):\n    {}", "tokenizer"),
        ("tokenizer = load()\ndef f():\n    {}", "tokenizer"),
        ("import tok\nx = tok.MyTokenizer()\n", "x"),
    ],
)
def test_a_tokenizer_is_known_by_its_name_or_its_class(text: str, name: str) -> None:
    whole = text.format("use()") if "{}" in text else f"{text}use()"
    names = Names(ast.parse(whole))
    use = [node for node in ast.walk(names.tree) if isinstance(node, ast.Call)][-1]
    assert named_tokenizer(names, use) == (name, None)


def test_one_of_another_function_is_not_at_hand() -> None:
    names = Names(ast.parse("def f():\n    tok = AutoTokenizer.x()\nuse()"))
    assert named_tokenizer(names, names.tree.body[1])[1] is not None


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (["Trainer(m, eval_dataset=e)"], ("tok", "x.eval_dataset")),
        (["Trainer(m, eval_dataset=e)", "Trainer(m)"], ("tok", None)),
        (["SFTTrainer(m, eval_dataset=e)"], (None, "x.eval_dataset")),
        (["DPOTrainer(m, eval_dataset=e)"], (None, None)),
        (["Trainer(m, tokenizer=t)"], (None, None)),
    ],
)
def test_what_a_trainer_has_is_not_asked_for(
    made: list[str], expected: tuple[str | None, str | None]
) -> None:
    head = "from transformers import Trainer\nfrom trl import *\ntok = AutoTokenizer.x()\n"
    names = Names(ast.parse(head + "\n".join(f"x = {each}" for each in made)))
    kind = Kinds([names]).of(names, names.bindings[-1].value)
    assert kind is not None
    bound = names.bindings[1:]
    found = evaluation_set(names, kind, "x", bound)
    tokenizer, _ = tokenizer_name(names, names.tree, kind, bound)
    assert (tokenizer, None if found is None else found[0]) == expected
