"""What becomes of the tail of a web that models write for, and what looking at all of it costs."""
