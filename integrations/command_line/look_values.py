"""What a look read, as cells of a table."""

from collapse_guard import Look

COLUMNS = {
    "tail_retention": "tail kept",
    "head_retention": "head kept",
    "perplexity": "perplexity",
    "effective_vocabulary": "effective vocabulary",
    "free_distinct_2": "own distinct-2",
}
"""Readings that are shown, where they were taken, and what stands over them."""

_Z = 1.96


def shown_value(look: Look, name: str) -> str:
    """One reading: a share with its 95% interval below it, or a number; a dash where it is none."""
    value = look.get(name)
    if value is None:
        return "-"
    if not name.endswith("_retention"):
        return f"{value:.4g}"
    low, high = look.interval(name, z=_Z)
    interval = "" if low == high else f"\n({low:.0%} to {high:.0%})"
    return f"{value:.0%}{interval}"
