"""What the package claims and only a GPU can show: `make gpu-check`.

Each check is a function that takes a `Place` and returns `Findings`; `checks.py` lists them. They
run one after the other in one process (`worker.py`), which another one watches over
(`supervisor.py`): what crashes or hangs costs its own check, and the rest go on in a new process.
"""
