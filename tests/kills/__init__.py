"""Runs that are killed at any moment and resumed, against the same runs left alone."""
