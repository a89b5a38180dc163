"""Blocks for pipelines of datatrove: statistics that merge, and a filter with weights."""
