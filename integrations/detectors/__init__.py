"""Detectors of machine-written text that need a model, a classifier or a key."""
