"""`report`, `compare`, `watch` and `init`: the commands about training runs."""

from pathlib import Path
from typing import Annotated

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.integrations.command_line.options import FOUND, AsJson, print_json
from collapse_guard.run_records.record import RunRecord

require("typer", "cli")

import typer  # noqa: E402

Plots = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write each curve as SVG and PNG into a folder, too."),
]
Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Output folders of watched runs, or *_run.jsonl files."),
]


def report(
    runs: Runs,
    output: Annotated[
        Path | None,
        typer.Option(help="The page to write; report.html in the folder, if left out."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write the looks as comma-separated values, too.")
    ] = None,
    plots: Plots = None,
    as_json: AsJson = False,
) -> None:
    """How did a watched run go?

    Reads what `watch` and the ledger have written, also while the run goes on, and writes one page
    that needs nothing else. Ends with 1 if there was an alarm.
    """
    from collapse_guard.integrations.command_line.runs import runs_of

    _reported(runs, runs_of(runs), output, csv, plots, as_json)


def compare(
    runs: Runs,
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("compare.html"),
    plots: Plots = None,
    as_json: AsJson = False,
) -> None:
    """Put watched runs side by side.

    Prints what each has kept, and writes a page with their curves in the same pictures. Ends with
    1 if there was an alarm in any of them.
    """
    from collapse_guard.integrations.command_line.runs import runs_of

    found = runs_of(runs)
    if len(found) < 2:
        raise bad_argument("RUN", expected="at least two runs", given=runs, hint="name another")
    _reported(runs, found, output, None, plots, as_json)


def watch(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="An output folder, or a *_run.jsonl file.")
    ],
    every: Annotated[float, typer.Option(help="Seconds between two readings.", min=0.1)] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Show it as it is now.")] = False,
) -> None:
    """Watch a run while it goes on, in the terminal.

    Ends with the run: with 1 if there was an alarm.
    """
    from rich.console import Console

    from collapse_guard.integrations.command_line.runs_view import is_alarmed, watch_run
    from collapse_guard.run_records.read import find_records, read_record

    path = find_records(run)[-1]
    shown = watch_run(Console(), lambda: read_record(path), every=every, once=once)
    raise typer.Exit(FOUND if is_alarmed({run: shown}) else 0)


def _reported(
    given: list[str],
    runs: dict[str, RunRecord],
    output: Path | None,
    csv: Path | None,
    plots: Path | None,
    as_json: bool,
) -> None:
    from collapse_guard.atomic import write_atomically
    from collapse_guard.integrations.command_line.runs import ledgers_of, run_as_dict
    from collapse_guard.integrations.command_line.runs_view import is_alarmed, print_runs
    from collapse_guard.integrations.run_report.curves import curves_of
    from collapse_guard.integrations.run_report.page import run_page
    from collapse_guard.integrations.run_report.pictures import pictures_of
    from collapse_guard.integrations.run_report.table import run_table

    if output is None:
        place = Path(given[0])
        output = (place if place.is_dir() else place.parent) / "report.html"
    curves = curves_of(runs)
    write_atomically(output, run_page(runs, ledgers_of(given, runs), curves=curves))
    if csv is not None:
        write_atomically(csv, run_table(runs))
    if plots is not None:
        for name, content in pictures_of(curves):
            write_atomically(plots / name, content)
    if as_json:
        print_json({"page": str(output), "runs": {n: run_as_dict(r) for n, r in runs.items()}})
    else:
        from rich.console import Console

        print_runs(Console(), runs)
        typer.echo(f"Written: {output}")
    raise typer.Exit(FOUND if is_alarmed(runs) else 0)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="With a script, or settings, that train.")
    ] = Path("."),
    as_json: AsJson = False,
) -> None:
    """Which lines have a training run watched?

    Asks nothing, reads the Python files, notebooks and YAML files of a folder, runs none of them,
    changes none, and prints which lines to put where. Ends with 1 if nothing there trains.
    """
    from collapse_guard.integrations.command_line.init import looked_at
    from collapse_guard.integrations.command_line.init_view import init_lines

    looked = looked_at(folder)
    if as_json:
        print_json(looked.to_dict())
    else:
        for line in init_lines(looked, str(folder)):
            typer.echo(line)
    raise typer.Exit(0 if looked.found or looked.already else FOUND)
