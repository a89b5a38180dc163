"""The `evaluate` module `tail_probability`; loaded by path, see `evaluate_path`."""
