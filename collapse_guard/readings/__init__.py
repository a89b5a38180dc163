"""Readings of a model: what each is (`registry`), and how it is taken."""
