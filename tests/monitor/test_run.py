"""What a run knows goes on after a resume, and nowhere else."""

import json

import pytest

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    Threshold,
)
from tests.tiny import perturb, tiny_gpt2, tiny_panel


def test_state_goes_on_after_json() -> None:
    rule = Threshold("tail_retention", below=0.999, patience=3, alpha=None)
    panel, model = tiny_panel(), tiny_gpt2()
    whole = CollapseMonitor(panel, rules=[rule])
    whole.start(model)
    perturb(model, 0.3)
    whole.look(model, 1)
    whole.look(model, 2)
    resumed = CollapseMonitor(panel, rules=[rule])
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert resumed.look(model, 3) == whole.look(model, 3)
    assert resumed.alerts == whole.alerts != []
    again = CollapseMonitor(panel, rules=[rule])
    again.load_state_dict(json.loads(json.dumps(resumed.state_dict())))
    assert again.alerts == whole.alerts


def test_state_of_another_panel_is_refused() -> None:
    monitor = CollapseMonitor(tiny_panel())
    monitor.start(tiny_gpt2())
    with pytest.raises(ArgumentError, match="`state` expected one of a monitor of this panel"):
        CollapseMonitor(tiny_panel(window=20)).load_state_dict(monitor.state_dict())
