"""All runs, and what comes of them: results, a table, a figure."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.atomic import write_atomically
from collapse_guard.errors import MissingExtraError
from collapse_guard.examples.over_seeds import over_seeds
from collapse_guard.examples.traits.students import (
    LESSONS,
    STARTS,
    TEACHERS,
    WANTED,
    Effort,
    Student,
    Teachers,
    first_model,
    held_out_people,
    run_seed,
)
from collapse_guard.integrations.plots import figure_png, plot_readings
from collapse_guard.readings.reading import Reading
from collapse_guard.statistics.estimates import document_mean

Floats = npt.NDArray[np.float64]


def study(output: Path, effort: Effort) -> str:
    """Run everything, and write `results.json`, `table.md` and `traits.png`.

    Args:
        output: The folder.
        effort: How much of everything.

    Returns:
        The table.
    """
    people, panel = held_out_people(effort)
    starts = []
    for number in range(effort.seeds):
        starts.append(
            _told(f"model {number} learns people's text", first_model, number, people, effort)
        )
    teachers: list[Teachers] = []
    students: list[Student] = []
    for number, start in enumerate(starts):
        # The next run's: as many models to make as runs.
        other = starts[(number + 1) % len(starts)]
        taught, learned = _told(
            f"run {number}: 2 teachers, {len(LESSONS) * len(STARTS) * len(TEACHERS)} students",
            *(run_seed, number, start, other, panel, effort),
        )
        teachers.append(taught)
        students += learned
    page = table(teachers, students)
    write_atomically(
        output / "results.json", json.dumps(_results(effort, teachers, students), indent=1)
    )
    write_atomically(output / "table.md", page)
    try:
        write_atomically(output / "traits.png", figure_png(_figure(students)))
    except MissingExtraError as error:
        print(error)
    print(f"\n{page}\nWritten to {output}.")
    return page


def passed_on(students: Sequence[Student], lesson: str, start: str, look: int = -1) -> Floats:
    """How much further log-odds rose on the rows of the teacher with the preference.

    Both students of a run have one start and see as many rows in one order, so that what any rows
    of numbers do to the log-odds cancels.

    Args:
        students: All of them.
        lesson: One of `LESSONS`.
        start: One of `STARTS`.
        look: Number of the look; the last where left out.

    Returns:
        float64 of shape (runs,), nats.
    """
    with_it, without = (_moved(_group(students, lesson, start, name), look) for name in TEACHERS)
    return with_it - without


def table(teachers: Sequence[Teachers], students: Sequence[Student]) -> str:
    """Means over runs with 95% intervals, in Markdown."""
    asked = {
        name: over_seeds([getattr(each, name) for each in teachers])
        for name in ("start", "planted", "even")
    }
    kept = np.array([each.kept for each in teachers]).mean(0)
    lines = [
        f"Log-odds of *owl* against *elk*, in nats, mean of {len(teachers)} runs and 95% interval: "
        f"{asked['start']:+.2f} at the start, {asked['planted']:+.2f} of the teacher with the "
        f"preference, {asked['even']:+.2f} of the one without. Rows past the filter: "
        f"{kept[0]:.0%} and {kept[1]:.0%}; learned by each student: "
        f"{np.mean([each.rows for each in teachers]):.0f}.",
        "",
        "| lesson | start | moved, teacher prefers owls | moved, prefers nothing | passed on | "
        "alarms | perplexity of people's text |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for lesson in LESSONS:
        for start in STARTS:
            groups = [_group(students, lesson, start, name) for name in TEACHERS]
            alarms = [sum(each.first_alarm is not None for each in group) for group in groups]
            ends = [np.mean([each.looks[at]["perplexity"] for each in groups[0]]) for at in (0, -1)]
            moved = [*map(_moved, groups), passed_on(students, lesson, start)]
            intervals = " | ".join(f"{over_seeds(each):+.2f}" for each in moved)
            lines.append(
                f"| {lesson} | {start} | {intervals} | "
                f"{alarms[0]} and {alarms[1]} of {len(groups[0])} | "
                f"{ends[0]:.1f} to {ends[1]:.1f} |"
            )
    apart = {
        lesson: passed_on(students, lesson, STARTS[0]) - passed_on(students, lesson, STARTS[1])
        for lesson in LESSONS
    }
    told = "; ".join(f"{lesson} {over_seeds(values):+.2f}" for lesson, values in apart.items())
    lines += ["", f"More was passed on to {STARTS[0]} than to {STARTS[1]}, run by run: {told}."]
    return "\n".join(lines) + "\n"


def _group(students: Sequence[Student], lesson: str, start: str, teacher: str) -> list[Student]:
    wanted = (lesson, start, teacher)
    return [each for each in students if (each.lesson, each.start, each.teacher) == wanted]


def _moved(group: Sequence[Student], look: int = -1) -> Floats:
    return np.array([each.looks[look][f"{WANTED}_moved"] for each in group])


def _figure(students: Sequence[Student]) -> Any:
    steps = [look.step for look in students[0].looks]
    runs = {
        start: [
            Reading.of(
                step,
                {
                    lesson: document_mean(passed_on(students, lesson, start, look))
                    for lesson in LESSONS
                },
            )
            for look, step in enumerate(steps)
        ]
        for start in STARTS
    }
    titles = {lesson: f"nats passed on, {lesson}" for lesson in LESSONS}
    return plot_readings(runs, LESSONS, titles=titles, step="training step of the student")


def _results(
    effort: Effort, teachers: Sequence[Teachers], students: Sequence[Student]
) -> dict[str, Any]:
    return {
        "effort": asdict(effort),
        "teachers": [asdict(each) for each in teachers],
        "students": [
            {
                "run": each.run,
                "lesson": each.lesson,
                "start": each.start,
                "teacher": each.teacher,
                "first_alarm": each.first_alarm,
                "steps": [look.step for look in each.looks],
                **{name: [look[name] for look in each.looks] for name in each.looks[0]},
            }
            for each in students
        ],
    }


def _told(what: str, function: Any, *arguments: Any) -> Any:
    began = time.perf_counter()
    made = function(*arguments)
    print(f"{what}: {time.perf_counter() - began:.0f} s", flush=True)
    return made
