"""The command line of the example."""

import os


def main() -> None:
    """Read the arguments and run; one that cannot work ends it with one line."""
    # As in the recursive example: read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from collapse_guard.errors import CollapseGuardError
    from collapse_guard.examples.teacher_text.study import run

    try:
        run()
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
