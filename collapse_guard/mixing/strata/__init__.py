"""Rows of a source in groups of like rarity and quality, which are shown more or less often."""
