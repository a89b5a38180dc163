"""Curves and a table of a run, in the tracker that it reports to."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from collapse_guard import CollapseMonitor, Look
from collapse_guard.arguments import text
from collapse_guard.distributed import is_first_process
from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.extras import require
from collapse_guard.integrations.plots import figure_png, plot_readings
from collapse_guard.integrations.run_report.curves import TITLES
from collapse_guard.readings.registry import READINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADS = ("reading", "start", "end", "standard error", "meaning")
"""Of the table."""

_NAME = text(hint="'collapse' is the default")


class Watching(Protocol):
    """A `WatchSession`, or anything else that has a monitor."""

    @property
    def monitor(self) -> CollapseMonitor:
        """What looked at the run."""


Send = Callable[[Watching], None]
"""Sends the curves and the table; for `WatchSession.at_end` or, at each look, whoever calls it."""


class _Told(NamedTuple):
    step: int
    curves: "Figure"
    rows: list[list[str | float]]


def tensorboard_plots(writer: Any, *, name: str = "collapse") -> Send:
    """Send them to TensorBoard: a figure `collapse/curves`, and a text `collapse/readings`.

    Args:
        writer: A `torch.utils.tensorboard.SummaryWriter`, such as `logger.experiment` of Lightning.
        name: What stands before the slash.

    Raises:
        ArgumentError: It is no such writer.
    """
    name = _NAME("name", name)
    if not callable(getattr(writer, "add_figure", None)):
        raise bad_argument(
            "writer",
            expected="a SummaryWriter of TensorBoard",
            given=writer,
            hint="make one of the run's folder: SummaryWriter(args.logging_dir)",
        )

    def send(told: _Told) -> None:
        writer.add_figure(f"{name}/curves", told.curves, told.step, close=False)
        lines = [HEADS, ["---"] * len(HEADS), *told.rows]
        table = "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)
        writer.add_text(f"{name}/readings", table, told.step)
        writer.flush()

    return _sending(send)


def wandb_plots(*, name: str = "collapse") -> Send:
    """Send them to the active run of wandb: an image `collapse/curves`, a table beside it.

    Args:
        name: As of `tensorboard_plots`.

    Raises:
        ArgumentError: It is no text. What is returned raises `CollapseGuardError` where no run is
            active, which the session reports.
    """
    name = _NAME("name", name)

    def send(told: _Told) -> None:
        import wandb

        if wandb.run is None:
            raise CollapseGuardError("no run of wandb is active, so it has no curves.")
        table = wandb.Table(columns=list(HEADS), data=told.rows)
        image = wandb.Image(_image(told.curves))
        wandb.run.log({f"{name}/curves": image, f"{name}/readings": table})

    return _sending(send)


def trackio_plots(*, name: str = "collapse") -> Send:
    """Send them to the active run of trackio, as `wandb_plots` does to wandb's.

    Args:
        name: As of `tensorboard_plots`.

    Raises:
        ArgumentError: As of `wandb_plots`, as is what the function raises.
    """
    name = _NAME("name", name)

    def send(told: _Told) -> None:
        import trackio

        run: Any = trackio.context_vars.current_run.get()
        if run is None:
            raise CollapseGuardError("no run of trackio is active, so it has no curves.")
        table = trackio.Table(columns=list(HEADS), data=told.rows)
        image = trackio.Image(_image(told.curves))
        run.log({f"{name}/curves": image, f"{name}/readings": table})

    return _sending(send)


def mlflow_plots(*, name: str = "collapse") -> Send:
    """Send them to the active run of MLflow: `collapse/curves.png`, `collapse/readings.json`.

    Args:
        name: Of the folder among the run's artifacts.

    Raises:
        ArgumentError: As of `wandb_plots`, as is what the function raises.
    """
    name = _NAME("name", name)

    def send(told: _Told) -> None:
        import mlflow

        if mlflow.active_run() is None:
            raise CollapseGuardError("no run of MLflow is active, so it has no curves.")
        mlflow.log_figure(told.curves, f"{name}/curves.png")
        columns = dict(zip(HEADS, map(list, zip(*told.rows, strict=True)), strict=True))
        mlflow.log_dict(columns, f"{name}/readings.json")

    return _sending(send)


def _sending(send: Callable[[_Told], None]) -> Send:
    require("matplotlib", "report")

    def send_of(session: Watching) -> None:
        # Each process has the readings; a tracker's run is the first one's.
        if is_first_process() and session.monitor.history:
            send(_told(session.monitor))

    return send_of


def _told(monitor: CollapseMonitor) -> _Told:
    looks = monitor.history
    names = [name for name in TITLES if all(name in look for look in looks)]
    others = [name for name in looks[-1] if name not in names]
    curves = plot_readings({"run": looks}, names, titles=TITLES, rules=monitor.rules)
    curves.legends.clear()
    return _Told(looks[-1].step, curves, [_row(looks, name) for name in [*names, *others]])


def _row(looks: Sequence[Look], name: str) -> list[str | float]:
    meaning = READINGS[name].meaning if name in READINGS else ""
    first, last = looks[0].get(name, float("nan")), looks[-1][name]
    error = looks[-1].standard_errors.get(name, float("nan"))
    return [name, float(first), float(last), float(error), meaning]


def _cell(value: str | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else value.replace("|", "/")


def _image(figure: "Figure") -> Any:
    return require("PIL.Image", "report").open(io.BytesIO(figure_png(figure)))
