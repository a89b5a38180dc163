"""The command line of the example."""

from collapse_guard.errors import CollapseGuardError
from examples.recursive_finetune.experiment import run
from examples.recursive_finetune.presets import parse


def main() -> None:
    """Read the settings and run; a setting that cannot work ends it with one line."""
    try:
        run(parse())
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
