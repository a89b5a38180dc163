"""Mixed streams whose sources cannot be read by number."""
