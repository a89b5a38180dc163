"""A language model is fine-tuned on its own text, generation after generation, and watched."""
