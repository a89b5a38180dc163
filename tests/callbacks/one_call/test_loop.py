"""What is to be known of a loop of one's own."""

from collapse_guard import CollapseMonitor
from collapse_guard.callbacks.one_call.loop import of_loop
from tests.tiny import tiny_gpt2, tiny_panel


def test_its_session_logs_where_the_loop_does() -> None:
    model, logged = tiny_gpt2(), list[int]()
    target = of_loop(
        model, steps=3, tokens_per_step=8.0, log=lambda _, step: logged.append(step), save=None
    )
    session, callback = target.join(CollapseMonitor(tiny_panel(), sampling=None), name="tail")
    assert callback is None
    session.start(model)
    assert logged == [0]
    assert "tail/tail_retention" in session.latest


def test_what_is_known_of_its_length_is_told() -> None:
    target = of_loop(tiny_gpt2(), steps=3, tokens_per_step=8.0, log=None, save=None)
    assert target.settings() == {"steps": 3, "tokens_per_step": 8.0}
