"""Human and synthetic texts compared, of any size and without a model."""
