"""`collapse-guard`, or `python -m collapse_guard`: the command line."""

import os
import sys

from collapse_guard.errors import CollapseGuardError


def main() -> None:
    """Read the arguments and run; what is wrong with them ends it with one line and exit code 2."""
    # By default threads that have nothing to do spin, which slows small models down several times
    # on a machine that has other work. OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from collapse_guard.examples.demo import demo
        from collapse_guard.integrations.command_line.app import app
        from collapse_guard.integrations.command_line.run import run

        app.command()(demo)
        sys.exit(run(sys.argv[1:]))
    except CollapseGuardError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
