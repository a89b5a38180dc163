"""The `evaluate` module `output_diversity`; loaded by path, see `evaluate_path`."""
