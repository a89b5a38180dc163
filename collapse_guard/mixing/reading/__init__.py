"""From slots to batches: rows are fetched together, and only in order."""
