from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from collapse_guard.callbacks.axolotl.settings import AxolotlSettings


class Own(BaseModel):
    """Stands where Axolotl's own settings stand."""

    base_model: str


class Merged(Own, AxolotlSettings):
    """What Axolotl makes of its settings and those of its plug-ins."""


def test_they_live_beside_others_and_come_out_as_they_were() -> None:
    given = {"base_model": "x", "collapse_guard": {"held_out": "a.jsonl", "every_n_steps": 5}}
    dumped = Merged(**given).model_dump(exclude_none=True)
    assert dumped["base_model"] == "x"
    assert given["collapse_guard"].items() <= dumped["collapse_guard"].items()
    assert Path(dumped["collapse_guard"]["held_out"]).suffix == ".jsonl"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"held_out": "a", "on_alert": "shout"}, {"held_out": "a", "on_alarm": "stop"}, None],
)
def test_what_is_wrong_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Merged(base_model="x", collapse_guard=wrong)
