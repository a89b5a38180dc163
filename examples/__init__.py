"""Runnable examples: a folder each, with a README of its own."""
