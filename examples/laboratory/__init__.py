"""A claim about model collapse, checked in minutes: worlds, regimes and what theory says."""
