"""How many slots each source gets, before any row is looked at."""
