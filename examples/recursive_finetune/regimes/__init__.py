"""What the generations train on: one regime for each recipe, or way of training."""
