"""What `match_sampler` is made of: models, losses and trainers, and what is asked of each."""
