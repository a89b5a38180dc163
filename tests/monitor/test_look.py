"""A look is a reading that carries its alerts."""

from collapse_guard import CollapseMonitor, EveryNSteps, Look, Threshold
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel


def test_nobody_looked_is_false_and_no_number_is_read() -> None:
    look = Look(3, {}, {}, is_full=False)
    assert not look
    assert (dict(look), look.alerts) == ({}, ())


def test_each_carries_the_alerts_that_it_raised_and_no_others() -> None:
    rules = [
        Threshold("perplexity", above=0.0, alpha=None),
        Threshold("tail_prob", above=-1.0, alpha=None, patience=2),
    ]
    monitor, model = (
        CollapseMonitor(
            tiny_panel(), rules=rules, pace=EveryNSteps(2), rules_wait=False, sampling=BRIEF
        ),
        tiny_gpt2(),
    )
    looks = [monitor.start(model), *(monitor.observe(model, step) for step in range(1, 7))]
    told = {look.step: [alert.reading for alert in look.alerts] for look in looks if look}
    assert told == {0: [], 2: ["perplexity"], 4: ["tail_prob"], 6: []}
    assert monitor.alerts == [alert for look in looks for alert in look.alerts]
    assert [look.alerts for look in monitor.history] == [look.alerts for look in looks if look]


def test_two_that_read_the_same_are_equal_whatever_they_raised() -> None:
    loud = CollapseMonitor(
        tiny_panel(),
        rules=[Threshold("perplexity", above=0.0, alpha=None)],
        rules_wait=False,
        sampling=BRIEF,
    )
    quiet, model = CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF), tiny_gpt2()
    for monitor in (loud, quiet):
        monitor.start(model)
    assert loud.look(model, 1) == quiet.look(model, 1)
    assert (len(loud.alerts), len(quiet.alerts)) == (1, 0)
