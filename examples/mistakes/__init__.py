"""Compounding mistakes of a small model that learns from what it wrote, measured."""
