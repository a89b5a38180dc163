"""What `watch` is given, in words and numbers that a settings file can hold."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from collapse_guard.arguments import flag, optional, text
from collapse_guard.callbacks.actions import Action, check_on_alert
from collapse_guard.callbacks.one_call.named_rows import rows_named
from collapse_guard.errors import bad_argument
from collapse_guard.monitor.pace import Budget, EveryNSteps

_EXAMPLE = "held_out: held_out.jsonl"


@dataclass(frozen=True)
class FileSettings:
    """Settings of a watched run.

    Attributes:
        held_out: Human text that is never trained on: a file, a folder, or a hub's name.
        human: Human text of the training, likewise, to count in which tokens are rare; where left
            out what `watch` takes by itself.
        groups: The column of held-out rows that says what they are of: an article, an author.
        split: Of held-out data sets that have several parts; of human ones it is "train".
        on_alert: "log", "save", "stop" or "save_and_stop".
        overhead: The share of the training time that looks take.
        every_n_steps: In its place, the steps from one look at the whole panel to the next.
        writing: Whether the model writes a little at looks at the whole panel.
        name: What logged keys begin with.
    """

    # So that pydantic, where it makes one, refuses what is misspelt.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    held_out: str
    human: str | None = None
    groups: str | None = None
    split: str = "test"
    on_alert: Action = "log"
    overhead: float = 0.01
    every_n_steps: int | None = None
    writing: bool = True
    name: str = "collapse"

    def arguments(self) -> dict[str, Any]:
        """Arguments of `watch`; reads the files.

        Raises:
            ArgumentError: A value that cannot work, or a file that cannot be read.
        """
        flag(hint="leave it out")("writing", self.writing)
        check_on_alert(self.on_alert)
        for name in ("split", "name"):
            text(hint="leave it out")(name, getattr(self, name))
        optional(text(expected="the name of a column", hint="leave it out"))("groups", self.groups)
        budget, steps = Budget(self.overhead), self.every_n_steps
        named = {
            "held_out": rows_named("held_out", self.held_out, self.split),
            "human": None if self.human is None else rows_named("human", self.human, "train"),
            "groups": self.groups,
            "on_alert": self.on_alert,
            "name": self.name,
            "pace": budget if steps is None else EveryNSteps(steps),
        }
        return named if self.writing else {**named, "sampling": None}


def file_settings(argument: str, given: Any) -> FileSettings:
    """Settings as a file has them.

    Args:
        argument: What they are called there.
        given: A mapping.

    Raises:
        ArgumentError: It is none, lacks `held_out`, or has a name that is not known.
    """
    known = [field.name for field in fields(FileSettings)]
    if not isinstance(given, Mapping) or "held_out" not in given:
        raise bad_argument(
            argument,
            expected=f"settings with {_EXAMPLE!r} among them",
            given=given,
            hint="name a file of human texts that the run never trains on",
        )
    if unknown := [str(name) for name in given if name not in known]:
        raise bad_argument(
            argument,
            expected=f"no other settings than {', '.join(known)}",
            given=", ".join(unknown),
            hint="look for a slip of the pen",
        )
    return FileSettings(**given)
