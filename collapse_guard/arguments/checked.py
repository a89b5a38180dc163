"""Checks that stand before a function, or in a dataclass."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Check = Callable[[str, Any], Any]
"""Takes an argument's name and what was given for it; returns it as it is to be used, or raises."""

P = ParamSpec("P")
R = TypeVar("R")


def checked(**checks: Check) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that holds arguments to what they may be before the function runs.

    Defaults are not checked. Not for what is called at every step: it costs a microsecond or two.

    Args:
        checks: What each argument must pass, by its name.

    Example:
        >>> from collapse_guard.arguments.kinds import whole
        >>> @checked(times=whole(least=1, hint="give 2"))
        ... def repeat(word: str, times: int) -> str:
        ...     return word * times
        >>> repeat("no", 2)
        'nono'
    """

    def decorate(run: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(run).parameters
        places = {name: place for place, name in enumerate(parameters) if name in checks}
        if len(places) < len(checks):
            raise TypeError(f"{run.__qualname__} lacks {sorted(set(checks) - set(places))}")

        @wraps(run)
        def run_checked(*args: P.args, **kwargs: P.kwargs) -> R:
            given = list(args)
            for name, place in places.items():
                if name in kwargs:
                    kwargs[name] = checks[name](name, kwargs[name])
                elif place < len(given):
                    given[place] = checks[name](name, given[place])
            return run(*given, **kwargs)  # type: ignore[arg-type]

        return run_checked

    return decorate


def check_fields(made: object, **checks: Check) -> None:
    """Hold the fields of a dataclass, also a frozen one, to what they may be.

    Args:
        made: It, as its `__post_init__` finds it.
        checks: What each field must pass, by its name.
    """
    for name, check in checks.items():
        given = getattr(made, name)
        kept = check(name, given)
        if kept is not given:
            object.__setattr__(made, name, kept)
