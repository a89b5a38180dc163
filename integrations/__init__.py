"""Bridges from collapse_guard to other packages, one module each.

A module here is imported by its own name, such as `collapse_guard.integrations.plots`. Nothing is
re-exported: importing this package needs none of the packages that its modules lead to.
"""

__all__: list[str] = []
