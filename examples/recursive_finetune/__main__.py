"""The command line of the example."""

import os


def main() -> None:
    """Read the settings and run; a setting that cannot work ends it with one line."""
    # By default threads that have nothing to do spin, which slows small models down several times
    # on a machine that has other work. OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from collapse_guard.errors import CollapseGuardError
    from collapse_guard.examples.recursive_finetune.experiment import run
    from collapse_guard.examples.recursive_finetune.presets import parse

    try:
        run(parse())
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
