"""The command line: `collapse-guard`, or `python -m collapse_guard`."""
