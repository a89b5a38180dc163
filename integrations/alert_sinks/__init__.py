"""Sinks that send alerts to people: mail, chat and webhooks, and trackers' own alerts."""
