"""Loops without a callback of this package: in plain PyTorch, Accelerate, and PyTorch Ignite."""
