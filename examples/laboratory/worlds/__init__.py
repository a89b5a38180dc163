"""The worlds: a file each, with what theory says of it."""
