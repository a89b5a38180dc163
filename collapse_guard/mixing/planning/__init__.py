"""Which row stands in which slot: a function of (seed, slot) and nothing else."""
