"""Loops without a trainer: the monitor in plain PyTorch, and in Accelerate."""
