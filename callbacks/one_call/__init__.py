"""What `collapse_guard.watch` sets up in one call: text, reference, panel, monitor, callback."""
