"""Rules that turn readings into alerts, and where alerts go."""
