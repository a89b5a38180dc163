"""What came of the checks, as JSON for programs and as Markdown for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from collapse_guard.atomic import write_atomically
from collapse_guard.statistics.json_values import without_nan

Status = Literal["passed", "failed", "skipped", "not run"]


@dataclass(frozen=True)
class Outcome:
    """What came of a check.

    Attributes:
        name: Of the check.
        claim: What it checks.
        status: "failed" where a condition does not hold, or it broke off.
        seconds: That it took.
        conditions: What was to be so, in words, and whether it is.
        figures: What was measured.
        reason: Why it is not "passed", in a line; empty where conditions say it.
        trace: Where it broke off.
    """

    name: str
    claim: str
    status: Status
    seconds: float = 0.0
    conditions: Mapping[str, bool] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    trace: str = ""

    @property
    def line(self) -> str:
        """It in a line."""
        why = self.reason or "; ".join(f"not so: {each}" for each in self.unmet)
        return f"{self.name}: {self.status} ({self.seconds:.0f} s){f': {why}' if why else ''}"

    @property
    def unmet(self) -> list[str]:
        """Conditions that do not hold."""
        return [condition for condition, holds in self.conditions.items() if not holds]


@dataclass(frozen=True)
class Report:
    """A whole run.

    Attributes:
        machine: Card, driver, versions and date.
        small: Whether the checks were only tried.
        outcomes: Of all checks, in their order.
    """

    machine: Mapping[str, Any]
    small: bool
    outcomes: Sequence[Outcome]

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(outcome.status == "failed" for outcome in self.outcomes)

    def to_json(self) -> str:
        """All of it; what is not a finite number becomes null."""
        plain = without_nan({"machine": self.machine, "small": self.small})
        plain["checks"] = [without_nan(asdict(outcome)) for outcome in self.outcomes]
        return json.dumps(plain, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """A table of the checks, and below it what each of them found."""
        title = "# What was checked on " + str(self.machine.get("device", "an unknown device"))
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        parts = [title, machine]
        if self.small:
            parts.append("Only tried, in a small form: the figures say nothing.")
        parts.append(
            markdown_table(
                [
                    {
                        "check": outcome.name,
                        "outcome": outcome.status,
                        "s": f"{outcome.seconds:.0f}",
                        "claim": outcome.claim,
                    }
                    for outcome in self.outcomes
                ]
            )
        )
        for outcome in self.outcomes:
            parts += [f"## {outcome.name}: {outcome.status}", *_found(outcome)]
        return "\n\n".join(parts) + "\n"

    def write(self, path: Path) -> None:
        """Write both, atomically: the Markdown beside the JSON."""
        write_atomically(path, self.to_json())
        write_atomically(path.with_suffix(".md"), self.to_markdown())


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of all columns that any row has; empty without rows."""
    titles = list(dict.fromkeys(title for row in rows for title in row))
    cells = [
        titles,
        ["---"] * len(titles),
        *([_text(row.get(t, "")) for t in titles] for row in rows),
    ]
    if not rows:
        return ""
    return "\n".join(f"| {' | '.join(each)} |" for each in cells)


def _found(outcome: Outcome) -> list[str]:
    parts = [outcome.reason] if outcome.reason else []
    if outcome.conditions:
        parts.append(
            "\n".join(
                f"- {'so' if holds else '**not so**'}: {condition}"
                for condition, holds in outcome.conditions.items()
            )
        )
    tables = {name: value for name, value in outcome.figures.items() if _is_table(value)}
    others = {name: value for name, value in outcome.figures.items() if name not in tables}
    if others:
        parts.append(
            markdown_table([{"figure": name, "": value} for name, value in others.items()])
        )
    for name, rows in tables.items():
        parts.append(f"{name}:\n\n{markdown_table(rows)}")
    if outcome.trace:
        parts.append(f"```\n{outcome.trace.strip()}\n```")
    return parts


def _is_table(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(each, Mapping) for each in value)
    )


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
