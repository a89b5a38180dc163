"""What a study of alarms came to, in Markdown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from tests.alarms.judged import LOST
from tests.docs.tables import table

Records = Sequence[Mapping[str, Any]]


def healthy_table(study: Mapping[str, Any]) -> str:
    """Trainings on human text against default rules; seeds side by side."""
    titles = (
        "training", "seeds", "steps (look every)", "documents", "perplexity, from to (lowest)",
        "tail retention", "head retention", "tail gap", "tail, second panel",
        "bare value of the tail below .85 at", "alarms",
    )  # fmt: skip
    rows = []
    for name, records in _by_name(study, healthy=True).items():
        last = [record["looks"][-1] for record in records]
        rows.append(
            (
                name,
                ", ".join(str(record["seed"]) for record in records),
                _side_by_side(_length(record) for record in records),
                _side_by_side(str(record["documents"]) for record in records),
                _side_by_side(_perplexities(record) for record in records),
                *(
                    _side_by_side(_number(look[reading]) for look in last)
                    for reading in ("tail_retention", "head_retention", "tail_gap")
                ),
                _side_by_side(_number(record["second"]["tail_retention"]) for record in records),
                _side_by_side(str(record["bare"] or "never") for record in records),
                "; ".join(_told(record) for record in records if record["alarms"]) or "none",
            )
        )
    return table(titles, rows)


def self_training_table(study: Mapping[str, Any]) -> str:
    """Trainings on a model's own text: what was lost, by the second panel, and what was told."""
    titles = (
        "generation 1 on", "trainings", "tail, second panel: median (range)", "truly lost",
        "within 2 standard errors of .85", "found", "missed", "alarms, none lost at the end",
        "first alarm, median step (range)", "bare value below .85: trainings, median step",
    )  # fmt: skip
    rows = []
    together = _by_name(study, healthy=False)
    for name, records in {**together, "all": [r for rs in together.values() for r in rs]}.items():
        if not records:
            continue
        tails = [record["second"]["tail_retention"] for record in records]
        lost = [record for record in records if is_lost(record)]
        found = [record for record in lost if record["alarms"]]
        false = [record for record in records if record["alarms"] and not is_lost(record)]
        bare = [record["bare"] for record in records if record["bare"] is not None]
        rows.append(
            (
                name,
                len(records),
                f"{_number(median(tails))} ({_number(min(tails))} to {_number(max(tails))})",
                len(lost),
                sum(is_near(record) for record in records),
                len(found),
                len(lost) - len(found),
                len(false),
                _steps([first_alarm(record) for record in records if record["alarms"]]),
                f"{len(bare)}{f', {median(bare):g}' if bare else ''}",
            )
        )
    return table(titles, rows)


def rules_table(study: Mapping[str, Any]) -> str:
    """Each rule over all trainings on a model's own text."""
    titles = (
        "rule", "fired, of trainings", "step, median (range)",
        "past its limit on the second panel at that step", "not",
    )  # fmt: skip
    records = [record for record in study.values() if not record["healthy"]]
    alarms: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        # One that recovered and fired again is counted once.
        for rule, alarm in {a["rule"]: a for a in reversed(record["alarms"])}.items():
            alarms.setdefault(rule, []).append(alarm)
    rows = []
    for rule in sorted(alarms):
        of_rule = alarms[rule]
        right = sum(alarm["right"] for alarm in of_rule)
        steps = _steps([alarm["step"] for alarm in of_rule])
        fired = f"{len(of_rule)} of {len(records)}"
        rows.append((f"`{rule}`", fired, steps, right, len(of_rule) - right))
    return table(titles, rows)


def is_lost(record: Mapping[str, Any]) -> bool:
    """Whether the second panel says at the end that the tail is below the rule's limit."""
    return bool(record["second"]["tail_retention"] < (LOST.below or 0.0))


def is_near(record: Mapping[str, Any]) -> bool:
    """Whether chance may have decided that, as documents of the second panel differ."""
    distance = abs(record["second"]["tail_retention"] - (LOST.below or 0.0))
    return bool(distance < 2 * record["second_error"])


def first_alarm(record: Mapping[str, Any]) -> int:
    """Step of the first alarm of any rule."""
    return int(min(alarm["step"] for alarm in record["alarms"]))


def _by_name(study: Mapping[str, Any], *, healthy: bool) -> dict[str, list[Mapping[str, Any]]]:
    together: dict[str, list[Mapping[str, Any]]] = {}
    for record in study.values():
        if record["healthy"] == healthy:
            name = re.sub(r", draw \d+$", "", record["name"])
            name += f", generation {record['generation']}" if "regime" in name else ""
            together.setdefault(name, []).append(record)
    return together


def _told(record: Mapping[str, Any]) -> str:
    seed = f"seed {record['seed']}"
    return f"{seed}: " + ", ".join(
        f"`{a['rule']}` at {a['step']} (second panel {_number(a['second_value'])})"
        for a in record["alarms"]
    )


def _length(record: Mapping[str, Any]) -> str:
    start = f", start at {record['start']}" if record["start"] else ""
    return f"{record['steps']} ({record['every']}{start})"


def _perplexities(record: Mapping[str, Any]) -> str:
    looks = [look["perplexity"] for look in record["looks"]]
    return f"{looks[0]:.4g} to {looks[-1]:.4g} ({min(looks):.4g})"


def _steps(steps: Sequence[int]) -> str:
    return f"{median(steps):g} ({min(steps)} to {max(steps)})" if steps else "none"


def _number(value: float) -> str:
    # No minus before what rounds to nothing.
    return f"{round(value, 2) + 0.0:.2f}" if abs(value) < 10 else f"{value:.3g}"


def _side_by_side(cells: Iterable[str]) -> str:
    listed = list(cells)
    return listed[0] if len(set(listed)) == 1 else " / ".join(listed)
