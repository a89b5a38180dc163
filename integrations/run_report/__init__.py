"""A watched run, or several side by side, as a page, a table, and curves."""
