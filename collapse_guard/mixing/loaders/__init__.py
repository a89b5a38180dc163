"""Refusal of loaders that would take rows in another order than they are dealt out in."""
