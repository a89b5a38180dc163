"""From the arguments of a monitor to the run that it watches, each of them checked."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from collapse_guard.alerts.alarms import Alarms
from collapse_guard.alerts.control_rules import control_rules
from collapse_guard.alerts.default_rules import default_rules
from collapse_guard.alerts.documents import check_can_fire, without_blind
from collapse_guard.alerts.rules import Threshold
from collapse_guard.arguments import flag
from collapse_guard.distributed import num_processes
from collapse_guard.errors import bad_argument
from collapse_guard.monitor.control import make_control
from collapse_guard.monitor.pace import Pace
from collapse_guard.monitor.probe import Probe
from collapse_guard.monitor.rotation import Rotation
from collapse_guard.monitor.run import Run
from collapse_guard.monitor.stopwatch import Stopwatch
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.choice import Wanted, choose_readings, refuse_of_types
from collapse_guard.readings.kind import Needs
from collapse_guard.readings.panel import ScoresItself
from collapse_guard.readings.prequential import PrequentialReader
from collapse_guard.readings.sampling import Sampling


@runtime_checkable
class HasState(Protocol):
    """A monitor, as far as it is asked here."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""


def make_run(
    probe: Probe,
    readings: Wanted,
    rules: Sequence[Threshold] | None,
    pace: Pace,
    *,
    start: Baseline | None,
    against_base: bool,
    prequential: PrequentialReader | None,
    rules_wait: bool,
    control: object,
    continues: HasState | Mapping[str, Any] | None,
) -> Run:
    """The run of a monitor with these arguments, at its beginning.

    Args:
        probe: What the model is looked at with.
        readings: As of `CollapseMonitor`, as are the others.
        rules: As of `CollapseMonitor`.
        pace: As of `CollapseMonitor`.
        start: As `baseline` of `CollapseMonitor`.
        against_base: As of `CollapseMonitor`.
        prequential: As of `CollapseMonitor`.
        rules_wait: As of `CollapseMonitor`.
        control: As of `CollapseMonitor`.
        continues: The monitor that this one continues, its state, or None.

    Raises:
        ArgumentError: One of them cannot work, alone or with the others.
    """
    sampling = probe.sampling
    _check_kinds(pace, rules, sampling, prequential, start)
    for name, chosen in (
        ("against_base", against_base),
        ("rules_wait", rules_wait),
        ("across_processes", probe.across_processes),
    ):
        flag(hint="leave it out")(name, chosen)
    given: dict[Needs, bool] = {
        "against_base": against_base,
        "control": control is not None,
        "prequential": prequential is not None,
        "sampling": sampling is not None,
    }
    of_types = not isinstance(probe.panel, ScoresItself)
    kinds = choose_readings(
        readings, [need for need, is_given in given.items() if is_given], of_types=of_types
    )
    if rules is None:
        names = {kind.name for kind in kinds}
        usual = default_rules(sampling=sampling is not None)
        rules = without_blind(
            [rule for rule in (*usual, *control_rules()) if rule.reading in names],
            kinds,
            probe.panel,
        )
    else:
        held = [each.reading for rule in rules for each in rule.held]
        for reading in [] if of_types else held:
            refuse_of_types("rules", reading)
        check_can_fire(rules, kinds, probe.panel)
    most = probe.batch_size * (num_processes() if probe.across_processes else 1)
    run = Run(
        panel=probe.panel,
        kinds=kinds,
        alarms=Alarms(rules, kinds, seed=int(probe.panel.fingerprint, 16)),
        schedule=pace.schedule(num_windows=len(probe.panel), most=most),
        rotation=Rotation(probe.panel),
        clock=Stopwatch(),
        prequential=prequential,
        start=start,
        rules_wait=rules_wait,
        sampling=sampling,
        control=make_control(
            control, probe.panel, across_processes=probe.across_processes and num_processes() > 1
        ),
    )
    if continues is not None:
        run.go_on_from(continues.state_dict() if isinstance(continues, HasState) else continues)
    return run


def _check_kinds(
    pace: object, rules: object, sampling: object, prequential: object, baseline: object
) -> None:
    """Refuse what would fail at the first look, when a callback could only report it."""
    is_rules = isinstance(rules, Sequence) and all(isinstance(rule, Threshold) for rule in rules)
    for name, given, fits, expected, hint in (
        (
            "pace",
            pace,
            isinstance(pace, Pace) and not isinstance(pace, type),
            "a pace",
            "give Budget(0.01) for a hundredth of the training time, or EveryNSteps(50)",
        ),
        ("rules", rules, rules is None or is_rules, "a list of Threshold", "leave it out, or []"),
        (
            "sampling",
            sampling,
            sampling is None or isinstance(sampling, Sampling),
            "a Sampling, or None",
            "give sampling=Sampling()",
        ),
        (
            "prequential",
            prequential,
            prequential is None or isinstance(prequential, PrequentialReader),
            "a PrequentialReader, or None",
            "give PrequentialReader(mix, reference)",
        ),
        (
            "baseline",
            baseline,
            baseline is None or isinstance(baseline, Baseline),
            "a Baseline, or None",
            "give the `baseline` of a monitor that has started",
        ),
    ):
        if not fits:
            raise bad_argument(name, expected=expected, given=given, hint=hint)
