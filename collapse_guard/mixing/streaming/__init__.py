"""The same floor over sources that can only be read from front to back."""
