"""Settings of programs that train, and the lines that have them watched."""

from collections.abc import Callable, Sequence
from typing import Any

from collapse_guard.integrations.command_line.training_code.edits import (
    Edit,
    Found,
    after,
    together,
)

PLUGIN = "collapse_guard.callbacks.AxolotlPlugin"
CALLBACK = "collapse_guard.callbacks.WatchHeldOut"

_HELD_OUT = (
    "held_out.jsonl: human texts that the run never trains on, a row each with a column `text` "
    "or `messages`"
)
_LAUNCHER = (
    "from llamafactory.train.tuner import run_exp",
    "from collapse_guard.callbacks import watching_trainers",
    "with watching_trainers(held_out=held_out_texts):",
    "    run_exp()",
)


def found_config(file: str, text: str) -> Found | None:
    """What a YAML file is, if it is one of those that are known.

    Raises:
        ValueError: It is no YAML.
    """
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("is no YAML of one document") from error
    if not isinstance(node, yaml.MappingNode):
        return None
    top = {key.value: value for key, value in node.value if isinstance(key.value, str)}
    for is_such, found in _KNOWN:
        if is_such(top.keys()):
            return found(file, text, top)
    return None


def _is_axolotl_s(keys: Any) -> bool:
    others = {"adapter", "micro_batch_size", "num_epochs", "output_dir", "sequence_len"}
    return bool({"base_model", "datasets"} <= keys and others & keys)


def _is_llama_factory_s(keys: Any) -> bool:
    others = {"do_train", "finetuning_type", "template", "dataset"}
    return bool({"model_name_or_path", "stage"} <= keys and len(others & keys) >= 2)


def _is_lightning_s(keys: Any) -> bool:
    return bool({"trainer", "model"} <= keys or {"trainer", "data"} <= keys)


def _axolotl(file: str, text: str, top: dict[str, Any]) -> Found:
    what = "settings of Axolotl"
    own = ("collapse_guard:", "  held_out: held_out.jsonl")
    edits = [_at_end(text, own)]
    item = f"- {PLUGIN}"
    if (plugins := top.get("plugins")) is None:
        edits = [_at_end(text, ("plugins:", f"  {item}", *own))]
    elif (edit := _appended(text, plugins, item)) is not None:
        edits.insert(0, edit)
    else:
        edits = [_at_end(text, own)]
        return Found(file, 1, what, tuple(edits), (f"among `plugins:` goes {PLUGIN}", _HELD_OUT))
    edits.sort(key=lambda edit: edit.first)
    return Found(file, 1, what, together(edits), (_HELD_OUT,))


def _lightning(file: str, text: str, top: dict[str, Any]) -> Found | None:
    what = "settings of a Lightning CLI"
    item = (
        f"- class_path: {CALLBACK}",
        "  init_args:",
        "    held_out: held_out.jsonl",
        "    tokenizer: NAME",
    )
    notes = ("tokenizer: a name or path of the model's", _HELD_OUT)
    trainer = top["trainer"]
    inside = {key.value: value for key, value in trainer.value} if _is_mapping(trainer) else {}
    callbacks = inside.get("callbacks")
    if callbacks is not None and (edit := _appended(text, callbacks, *item)) is not None:
        return Found(file, 1, what, (edit,), notes)
    if callbacks is None and inside and not trainer.flow_style:
        first = trainer.value[0][0].start_mark
        by = " " * first.column
        lines = (f"{by}callbacks:", *(f"{by}  {line}" for line in item))
        return Found(file, 1, what, (after(first.line, lines),), notes)
    return Found(file, 1, what, (), ("among the trainer's `callbacks:` goes", *item, *notes))


def _llama_factory(file: str, text: str, top: dict[str, Any]) -> Found:
    del text, top
    return Found(
        file,
        1,
        "settings of LLaMA-Factory, which takes no callbacks from a file",
        (Edit(1, 0, _LAUNCHER, new_file="train_watched.py"),),
        (
            f"and run `python train_watched.py {file}`",
            "held_out_texts: human texts that the run never trains on, as a list, or a data set",
        ),
    )


_KNOWN: Sequence[
    tuple[Callable[[Any], bool], Callable[[str, str, dict[str, Any]], Found | None]]
] = (
    (_is_axolotl_s, _axolotl),
    (_is_llama_factory_s, _llama_factory),
    (_is_lightning_s, _lightning),
)


def _appended(text: str, node: Any, *item: str) -> Edit | None:
    """One more item of a list; None where it is written in another way than a line for each."""
    lines = text.split("\n")
    if node.id == "sequence" and not node.flow_style and node.value:
        by = " " * node.start_mark.column
        last = node.value[-1].end_mark
        # A value of several lines ends at the beginning of what comes next.
        end = (
            last.line
            if last.column == 0 or not lines[last.line][: last.column].strip()
            else (last.line + 1)
        )
        while end > 1 and not lines[end - 1].strip():
            end -= 1
        return after(end, tuple(f"{by}{line}" for line in item))
    return None


def _at_end(text: str, lines: tuple[str, ...]) -> Edit:
    return after(len(text.rstrip("\n").split("\n")), lines)


def _is_mapping(node: Any) -> bool:
    return bool(node.id == "mapping")
