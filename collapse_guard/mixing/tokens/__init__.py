"""A human floor that counts trained tokens, where rows are of any length."""
