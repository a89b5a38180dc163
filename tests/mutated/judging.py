"""Whether what loads a state or a file does so wholly or not at all."""

import json
import math
import random
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from collapse_guard.errors import CollapseGuardError
from tests.mutated.mutations import leaves

MAY_BE_NAN = {"value", "standard_error", "units", "latest", "values"}
"""What is NaN where there is nothing to tell, or infinite of a model that has diverged."""


@dataclass(frozen=True)
class Case:
    """One kind of state, or of file.

    Attributes:
        name: Of it.
        original: A whole one.
        mutate: Breaks a copy of it.
        make: A new object that loads such states, with something in it already.
        load: Loads what is given into the object, and returns what holds it then: the object, or a
            new one.
        said: What the result has taken in, in plain JSON types.
        use: Does with the result what a run would do next.
    """

    name: str
    original: Any
    mutate: Callable[[Any, random.Random], Any]
    make: Callable[[], Any]
    load: Callable[[Any, Any], Any]
    said: Callable[[Any], Any]
    use: Callable[[Any], object]


def judged(case: Case, changed: Any) -> str:
    """What became of a broken one: "refused", "harmless", or what is bad about it."""
    mine = case.make()
    before = _text(case.said(mine))
    given = deepcopy(changed) if _is_shallow(changed) else changed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = case.load(mine, given)
    except CollapseGuardError:
        return "refused" if _text(case.said(mine)) == before else "refused, and changed"
    except Exception as error:
        return f"{type(error).__name__} and no error of ours"
    try:
        return _accepted(case, changed, result)
    except Exception as error:
        return f"accepted, and then {type(error).__name__}: {str(error)[:60]}"


def _accepted(case: Case, changed: Any, result: Any) -> str:
    after = case.said(result)
    whole = case.said(case.load(case.make(), case.original))
    if isinstance(changed, dict) and _text(after) != _text(whole) and not _holds(after, changed):
        return "accepted as something else"
    finite = {path for path, value in leaves(whole) if _is_finite(value)}
    for path, value in leaves(after):
        if path in finite and not _is_finite(value) and not MAY_BE_NAN & set(path):
            return "accepted with what is not finite"
    if isinstance(changed, dict):
        again = case.said(case.load(case.make(), json.loads(json.dumps(after))))
        if _text(again) != _text(after):
            return "accepted, and another after a round trip"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        case.use(result)
    return "harmless"


def _holds(after: Any, given: Any) -> bool:
    """Whether everything that was given was taken in as it was given."""
    if isinstance(given, dict):
        is_same_kind = isinstance(after, dict) and set(given) <= set(after)
        return is_same_kind and all(_holds(after[key], given[key]) for key in given)
    if isinstance(given, list | tuple):
        if not isinstance(after, list | tuple) or len(after) != len(given):
            return False
        return all(map(_holds, after, given))
    if isinstance(given, bool) or isinstance(after, bool):
        return given is after
    return bool(given == after) or (given != given and after != after)


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _is_shallow(value: Any) -> bool:
    try:
        deepcopy(value)
    except RecursionError:
        return False
    return True


def _text(said: Any) -> str:
    return json.dumps(said, sort_keys=True, default=repr)
