"""A program for tests of how programs are run: tells what it was given."""

import os
import sys
import time

if __name__ == "__main__":
    if sys.argv[1:] == ["wait"]:
        print("waiting", flush=True)
        time.sleep(600)
    print(__name__, *sys.argv[1:], os.environ["GIVEN"])
    raise SystemExit("ended")
