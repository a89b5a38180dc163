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

from collections.abc import Mapping


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
        given: The value that came; its `repr` is shown, shortened to 120 characters.
        hint: What to do about it, as an imperative clause without a full stop.

    Example:
        >>> print(bad_argument("seed", expected="a whole number", given=0.5, hint="give 0 or 1"))
        argument `seed` expected a whole number, but got 0.5: give 0 or 1.
    """
    shown = repr(given)
    if len(shown) > 120:
        shown = shown[:117] + "..."
    return ArgumentError(f"argument `{argument}` expected {expected}, but got {shown}: {hint}.")
