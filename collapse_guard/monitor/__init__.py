"""The monitor that any training loop can call, and what it is made of."""
