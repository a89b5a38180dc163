"""Filters of rows, the weights that they give, and whether they take rare contents away."""
