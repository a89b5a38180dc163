"""What a watched run leaves behind in one file: made while it goes on, and read by reports."""
