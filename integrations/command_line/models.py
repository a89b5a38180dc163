"""Models by name: checkpoints of a run in their order, and adapters behind their base."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from collapse_guard.errors import bad_argument

_ADAPTER = "adapter_config.json"
_CHECKPOINT = "checkpoint-"


def model_names(given: Sequence[str]) -> list[str]:
    """What is to be looked at, the first being what others are compared with.

    A folder of a run that holds checkpoints stands for these, by their steps, and a first model
    that is an adapter comes behind the model that it adapts.

    Args:
        given: Names or paths for `transformers`, at least one.

    Raises:
        ArgumentError: A path that holds no model, or an adapter that does not say of which.
    """
    names = [name for each in given for name in _expanded(each)]
    first = Path(names[0])
    if not (first / _ADAPTER).is_file():
        return names
    base = json.loads((first / _ADAPTER).read_text(encoding="utf-8")).get("base_model_name_or_path")
    if not isinstance(base, str):
        raise bad_argument(
            "MODEL",
            expected="an adapter that names its base model",
            given=str(first),
            hint="name the base model first",
        )
    return [base, *names]


def _expanded(name: str) -> Iterator[str]:
    folder = Path(name)
    if not folder.exists() or folder.joinpath("config.json").is_file():
        yield name
        return
    if folder.joinpath(_ADAPTER).is_file():
        yield name
        return
    checkpoints = {
        int(path.name.removeprefix(_CHECKPOINT)): str(path)
        for path in folder.glob(f"{_CHECKPOINT}*")
        if path.name.removeprefix(_CHECKPOINT).isdecimal()
    }
    if not checkpoints:
        raise bad_argument(
            "MODEL",
            expected="a folder with a model, an adapter, or checkpoints of a run",
            given=name,
            hint="give what save_pretrained wrote",
        )
    yield from (checkpoints[step] for step in sorted(checkpoints))
