"""Packs of whole rows of a mixed stream, in its order and with their provenance."""
