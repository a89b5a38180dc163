"""Which row stands in which slot: a pure function of seed and slot."""
