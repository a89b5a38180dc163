"""Rows of data sets, whatever they are made of: one way to open, compare and read them."""
