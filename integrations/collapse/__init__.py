"""The `evaluate` module `collapse`; loaded by path, see `evaluate_path`."""
