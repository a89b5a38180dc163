"""A student learns from a teacher's text: plainly, and with the sampler taken back."""
