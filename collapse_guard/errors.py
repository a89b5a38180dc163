"""Every error that collapse_guard raises on purpose.

```
CollapseGuardError
├── ArgumentError (ValueError)           an argument that cannot work
├── TokenizerMismatchError (ValueError)  token ids of one vocabulary read with another
├── PanelError (ValueError)              held-out text that cannot be measured on
├── ScoringError (RuntimeError)          a model whose output cannot be read
│   └── UnwatchableError                 one that cannot be looked at, and never will be as it is
├── MixOrderError (RuntimeError)         a sampler that breaks the human floor
├── PeerError (RuntimeError)             another process of a distributed run failed
│   └── CalledOffError                   and does not take part in what is going on any more
│       └── LostPeerError                nor in anything else: it has died, or hangs
├── ConformityError                      a reading or detector that breaks its rules
└── MissingExtraError (ImportError)      an optional package that is not installed
```

Each message names what was given, what is allowed, and what to do.
"""

import reprlib
from collections.abc import Mapping, Set as AbstractSet
from itertools import islice
from typing import Any


class CollapseGuardError(Exception):
    """Base class of everything that collapse_guard raises on purpose."""


class ArgumentError(CollapseGuardError, ValueError):
    """An argument that cannot work, found at construction. Made by `bad_argument`."""


class TokenizerMismatchError(CollapseGuardError, ValueError):
    """Token ids that belong to another tokenizer or vocabulary than the reference's."""


class PanelError(CollapseGuardError, ValueError):
    """Held-out text that cannot be measured on: leaked, too short, or without a tail."""


class ScoringError(CollapseGuardError, RuntimeError):
    """A model whose output cannot be read as next-token logits."""


class UnwatchableError(ScoringError):
    """A model that cannot be looked at as it is, nor ever will be: trying again is of no use."""


class MixOrderError(CollapseGuardError, RuntimeError):
    """A sampler that reads a mixed stream out of order, which would break its human floor."""


class PeerError(CollapseGuardError, RuntimeError):
    """Another process of a distributed run failed at what all of them do together.

    Args:
        message: What happened.
        never_passes: Whether trying again is of no use, as that process has found.
    """

    def __init__(self, message: str, *, never_passes: bool = False) -> None:
        super().__init__(message)
        self.never_passes = never_passes


class CalledOffError(PeerError):
    """Another process has left what all of them do together, which ends at once on all."""


class LostPeerError(CalledOffError):
    """Another process has died, or did not come in time: nothing is done together any more."""


class ConformityError(CollapseGuardError):
    """A reading that fails at something which `check_reading` asks of all readings.

    Or a detector that fails at something which `check_detector` asks.

    Args:
        name: The reading's name.
        faults: What happened, by the check that it fails at.
        num_checks: How many checks there were.
        what: What it is.
    """

    def __init__(
        self, name: str, faults: Mapping[str, str], *, num_checks: int, what: str = "reading"
    ) -> None:
        lines = [f"- {check}: {fault}" for check, fault in faults.items()]
        title = f"{what} `{name}` fails at {len(faults)} of {num_checks} checks:"
        super().__init__("\n".join([title, *lines]))
        self.faults = dict(faults)


class MissingExtraError(CollapseGuardError, ImportError):
    """An optional package that is needed here and not installed."""


def bad_argument(argument: str, *, expected: str, given: object, hint: str) -> ArgumentError:
    """An `ArgumentError` in the one wording that all of them share.

    Args:
        argument: The argument's name, as the caller wrote it.
        expected: What is allowed, as a noun phrase.
        given: The value that came; its `repr` is shown, shortened to 120 characters. An object
            whose `repr` fails is named by its class.
        hint: What to do about it, as an imperative clause without a full stop.

    Example:
        >>> print(bad_argument("seed", expected="a whole number", given=0.5, hint="give 0 or 1"))
        argument `seed` expected a whole number, but got 0.5: give 0 or 1.
    """
    return ArgumentError(
        f"argument `{argument}` expected {expected}, but got {shown(given)}: {hint}."
    )


def shown(given: object) -> str:
    """What an error says of a value: its `repr` in at most 120 characters, whatever it is.

    Example:
        >>> shown([0] * 10**6)[-12:]
        ' 0, 0, 0,...'
    """
    try:
        text = _Bounded().repr(given)
    except Exception:
        # A class may lie about its name as well; whatever it does, the error must come through.
        return "something that cannot be shown"
    # An object's own `repr` may hold what no file and no terminal takes.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


_LONGEST = 120


class _Bounded(reprlib.Repr):
    """As `repr`, in few steps however large, deep or broken the value is."""

    def __init__(self) -> None:
        super().__init__()
        # More than are ever shown, so that whatever is short reads as its plain `repr`.
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = _LONGEST
        self.maxstring = self.maxother = 10 * _LONGEST
        self.maxlevel = 20
        self._left = 3 * _LONGEST

    def repr1(self, x: Any, level: int) -> str:
        self._left -= 1
        # Lists of lists of lists would take for ever, though each of them is short.
        return super().repr1(x, level) if self._left >= 0 else "..."

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out what has more digits than a few thousand.
        bits = int.bit_length(x)
        return int.__repr__(x) if bits < 4 * _LONGEST else f"a whole number of {bits} bits"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        parts = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in islice(x.items(), self.maxdict)
        ]
        return "{" + ", ".join([*parts, *(["..."] if len(x) > len(parts) else [])]) + "}"

    def repr_set(self, x: set[Any], level: int) -> str:
        return self._members(x, level) if x else "set()"

    def repr_frozenset(self, x: frozenset[Any], level: int) -> str:
        return f"frozenset({self._members(x, level) if x else ''})"

    def _members(self, x: AbstractSet[Any], level: int) -> str:
        parts = [self.repr1(member, level - 1) for member in islice(x, self.maxset)]
        return "{" + ", ".join([*parts, *(["..."] if len(x) > len(parts) else [])]) + "}"
