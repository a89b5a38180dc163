"""What `watch` is given, by the names that a file has for it."""

import ast
from collections.abc import Sequence

from collapse_guard.integrations.command_line.training_code.bindings import Binding, Names
from collapse_guard.integrations.command_line.training_code.kinds import Kind

IMPORT = "from collapse_guard import watch"

HELD_OUT = (
    "held_out_texts",
    "held_out_texts: human texts that the run never trains on, as a list, or a data set such as "
    "its split for tests",
)
"""A name for held-out text where a file has none, and where to get it."""

_KNOWS_ITS_TOKENIZER = ("processing_class", "tokenizer")
_TAKES_TEXT = ("Trainer", "Seq2SeqTrainer", "SFTTrainer")


def evaluation_set(
    names: Names, kind: Kind, trainer: str, made: Sequence[Binding]
) -> tuple[str, str] | None:
    """A trainer's own evaluation set, where it is sure to have one that can be read."""
    calls = [each.value for each in made]
    if kind.framework != "huggingface" or not calls:
        return None
    if all(isinstance(each, ast.Call) and _has_evaluation_set(names, each) for each in calls):
        return (
            f"{trainer}.eval_dataset",
            f"{trainer}.eval_dataset: if that is human text which the run never trains on; any "
            "list of such texts will do",
        )
    return None


def tokenizer_name(
    names: Names, at: ast.AST, kind: Kind, made: Sequence[Binding]
) -> tuple[str | None, str | None]:
    """What the tokenizer is called at a place, where it has to be told, and what to know of it."""
    if kind.framework == "huggingface":
        calls = [each.value for each in made if isinstance(each.value, ast.Call)]
        if not any(_is_without_tokenizer(names, call) for call in calls):
            return None, None
    elif any(name.startswith("self.tokenizer") for name in (each.name for each in names.bindings)):
        # Of the module, which is asked for it.
        return None, None
    return named_tokenizer(names, at)


def named_tokenizer(names: Names, at: ast.AST) -> tuple[str, str | None]:
    """The tokenizer that a file has at a place, or a name for it and what to know of it."""
    for scope in (names.scope_of(at), names.tree):
        for binding in reversed(names.bindings):
            if binding.scope is scope and "." not in binding.name and _is_tokenizer(names, binding):
                return binding.name, None
    return "tokenizer", "tokenizer: the model's, such as AutoTokenizer.from_pretrained(...)"


def _is_tokenizer(names: Names, binding: Binding) -> bool:
    if binding.name in ("tokenizer", "processing_class"):
        return True
    value = binding.value
    return isinstance(value, ast.Call) and "Tokenizer" in names.full_name(value.func)


def _has_evaluation_set(names: Names, call: ast.Call) -> bool:
    if names.full_name(call.func).rpartition(".")[2] not in _TAKES_TEXT:
        return False
    given = [each.value for each in call.keywords if each.arg == "eval_dataset"]
    return bool(given) and not isinstance(given[0], ast.Constant | ast.Dict | ast.DictComp)


def _is_without_tokenizer(names: Names, call: ast.Call) -> bool:
    """Whether it is a Trainer that gets none: TRL's find theirs, and others may."""
    if names.full_name(call.func) not in ("transformers.Trainer", "transformers.Seq2SeqTrainer"):
        return False
    known = {each.arg for each in call.keywords}
    # Behind "**" there may be one, and it is the sixth that is given by place.
    return not known & {None, *_KNOWS_ITS_TOKENIZER} and len(call.args) < 6
