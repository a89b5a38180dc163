"""The plug-in, called as Axolotl calls it: by a stand-in, and by Axolotl where it is installed.

`axolotl train` itself needs a GPU's packages. What the stand-in does is what
`axolotl.integrations.base.PluginManager` of Axolotl 0.19 does, in its order.
"""

import json
import runpy
import sys
from importlib import import_module
from inspect import getsourcefile, signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import create_model

from collapse_guard.callbacks import AxolotlPlugin
from collapse_guard.errors import ArgumentError
from tests.callbacks.huggingface.runs import Recorder, make_trainer, readings_in
from tests.callbacks.one_call.people import people_write, word_tokenizer


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    """What a YAML file says, read."""
    path = folder / "held_out.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in people_write(80, seed=5)))
    return {
        "base_model": "tiny",
        "plugins": ["collapse_guard.callbacks.AxolotlPlugin"],
        "collapse_guard": {"held_out": str(path), "every_n_steps": 2, **more},
    }


def loaded(name: str) -> AxolotlPlugin:
    """A plug-in by the name that stands under `plugins:`."""
    module, _, last = name.rpartition(".")
    plugin: AxolotlPlugin = getattr(import_module(module), last)()
    return plugin


def checked(plugin: AxolotlPlugin, given: dict[str, Any]) -> dict[str, Any]:
    """Settings after they were checked together with what the plug-in adds."""
    module, _, last = plugin.get_input_args().rpartition(".")
    added = getattr(import_module(module), last)
    merged = create_model("Merged", __base__=(added,), base_model=str)
    dumped: dict[str, Any] = merged(**given).model_dump(exclude_none=True)
    return dumped


@pytest.mark.slow
def test_a_run_is_watched_by_settings_alone(tmp_path: Path) -> None:
    given = settings(tmp_path)
    plugin = loaded(given["plugins"][0])
    plugin.register(given)
    cfg = checked(plugin, given)
    tracker = Recorder()
    trainer = make_trainer(tmp_path, callbacks=[tracker], max_steps=4)
    trainer.processing_class = word_tokenizer()
    assert plugin.watched is None
    plugin.post_trainer_create(cfg, trainer)
    trainer.train()
    assert [record["step"] for record in readings_in(tracker.records)] == [0, 2, 4]
    assert plugin.watched is not None
    assert plugin.watched.summary()[0].startswith("kept ")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"held_out": "none.jsonl"}, "`held_out`"), ({"grups": "of"}, "'grups'")],
)
def test_what_cannot_work_is_said_before_a_model_is_loaded(
    tmp_path: Path, wrong: dict[str, str], told: str
) -> None:
    with pytest.raises(ArgumentError, match=told):
        AxolotlPlugin().register(settings(tmp_path, **wrong))


def test_a_file_without_its_settings_is_told_what_to_write() -> None:
    with pytest.raises(ArgumentError, match="expected settings with 'held_out: held_out"):
        AxolotlPlugin().register({"base_model": "tiny"})


class BasePlugin:
    """The hooks of Axolotl 0.19 that ours are called among."""

    def __init__(self) -> None: ...
    def register(self, cfg: dict[str, Any]) -> None: ...
    def get_input_args(self) -> str | None: ...
    def post_trainer_create(self, cfg: Any, trainer: Any) -> None: ...
    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        return ["theirs"]


def test_where_axolotl_is_its_other_hooks_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    base = ModuleType("axolotl.integrations.base")
    base.BasePlugin = BasePlugin  # type: ignore[attr-defined]
    for name in ("axolotl", "axolotl.integrations"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, base.__name__, base)
    file = getsourcefile(AxolotlPlugin)
    assert file is not None
    made = runpy.run_path(file)["AxolotlPlugin"]
    assert issubclass(made, BasePlugin)
    assert made().add_callbacks_post_trainer({}, None) == ["theirs"]
    for hook in ("register", "get_input_args", "post_trainer_create"):
        ours, theirs = (signature(getattr(each, hook)) for each in (made, BasePlugin))
        assert list(ours.parameters) == list(theirs.parameters)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_axolotl_itself_calls_it(tmp_path: Path) -> None:
    base = pytest.importorskip("axolotl.integrations.base")
    config = pytest.importorskip("axolotl.integrations.config")
    wrapped = import_module("axolotl.utils.dict").DictDefault
    manager = base.PluginManager.get_instance()
    cfg = wrapped(
        settings(tmp_path),
        datasets=[{"path": "rows.jsonl", "type": "completion"}],
        micro_batch_size=1,
        gradient_accumulation_steps=1,
        learning_rate=1e-3,
    )
    (name,) = cfg["plugins"]
    manager.register(name)
    assert isinstance(manager.plugins[name], base.BasePlugin)
    manager.plugins[name].register(cfg)
    _, theirs = config.merge_input_args()
    cfg = wrapped(theirs(**cfg.to_dict()).model_dump(exclude_none=True))
    tracker = Recorder()
    trainer = make_trainer(tmp_path, callbacks=[tracker], max_steps=4)
    trainer.processing_class = word_tokenizer()
    manager.post_trainer_create(cfg, trainer)
    trainer.train()
    assert [record["step"] for record in readings_in(tracker.records)] == [0, 2, 4]
