"""The recursive example with a regime of a user's own, run as a program."""

from collapse_guard.examples.recursive_finetune.experiment import run
from collapse_guard.examples.recursive_finetune.presets import parse
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from tests.extending.test_regime import HUMAN_FIRST

if __name__ == "__main__":
    REGIMES["human_first"] = HUMAN_FIRST
    run(parse())
