"""What is told before a run begins."""

from collapse_guard import CollapseMonitor, Sampling
from collapse_guard.callbacks.one_call.sizes import Length, looking
from collapse_guard.callbacks.one_call.told import LeftOut, lines_before
from tests.tiny import tiny_panel


def test_each_line_says_one_thing() -> None:
    panel = tiny_panel()
    windows, tokens = panel.input_ids.shape
    monitor = CollapseMonitor(panel, sampling=None)
    # Of a run that costs a hundred times as much as the looks.
    length = Length(100, looking(windows, tokens) / 3)
    little = Sampling(num_free=3, num_prompts=2, samples_per_prompt=2, length=8)
    lines = lines_before(monitor, panel, "9 rows", length, LeftOut(1234, tokens, little))
    assert lines[0].startswith(f"collapse_guard watches {windows} windows of {tokens} tokens")
    assert "of 9 rows (4,000 tokens)" in lines[1]
    assert lines[2].startswith("tail_retention below 0.85 finds")
    assert "about 1.0% of 100 steps" in lines[3]
    assert "1,234 held-out documents" in lines[4]
    assert "what the model writes (another" in lines[4]


def test_nothing_is_left_out_and_nobody_knows_how_long() -> None:
    panel = tiny_panel()
    monitor = CollapseMonitor(panel, rules=[])
    lines = lines_before(monitor, panel, "9 rows", None, LeftOut(0, 4, None))
    assert len(lines) == 3
    assert "and 64 texts that the model writes" in lines[0]
    assert "give steps=" in lines[2]
    assert "first, some hundred training steps" not in lines[2]
    searching = lines_before(monitor, panel, "9 rows", None, LeftOut(0, 4, None), finds=True)
    assert searching[2] == (
        lines[2].removesuffix(".")
        + "; first, some hundred training steps, to find how synthetic rows were drawn."
    )
