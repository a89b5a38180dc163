"""Hostile arguments for everything public: each call gives a result or one of our errors."""
