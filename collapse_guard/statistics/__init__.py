"""Estimates with standard errors over documents, and intervals that hold at all looks of a run."""
