"""Axolotl's plug-in: a translation between its hooks and `watch`."""
