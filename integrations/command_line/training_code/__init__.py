"""Code and settings that train models, as they are written: read, and never run."""
