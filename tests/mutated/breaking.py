"""Breaking each kind of state and file, over and over."""

import random
from collections import Counter
from collections.abc import Callable

from tests.mutated.files import file_cases
from tests.mutated.judging import Case, judged
from tests.mutated.states import state_cases

GOOD = ("refused", "harmless")


def cases() -> dict[str, Callable[[], Case]]:
    """Each kind by name, made when it is asked for."""
    return {**state_cases(), **file_cases()}


def outcomes(name: str, mutations: int, seed: int) -> Counter[str]:
    """How often each of the things that `judged` tells came of so many mutations."""
    case = cases()[name]()
    chance = random.Random(f"{name} {seed}")
    return Counter(judged(case, case.mutate(case.original, chance)) for _ in range(mutations))
