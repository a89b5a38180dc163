"""What a mix would show, answered from numbers alone, before anything is read."""
