"""How often the loops of this folder look: what is asked on their command lines."""

import argparse

from collapse_guard import Budget, EveryNSteps


def ask_how_often(parser: argparse.ArgumentParser) -> None:
    """Add what `how_often` reads."""
    parser.add_argument("--overhead", type=float, default=0.1, help="the monitor's share of time")
    parser.add_argument(
        "--every", type=int, help="steps between looks, the same on any machine, instead of a share"
    )


def how_often(arguments: argparse.Namespace) -> Budget | EveryNSteps:
    """The pace that was asked for."""
    if arguments.every is not None:
        return EveryNSteps(arguments.every)
    return Budget(arguments.overhead)
