"""Lightning's callback: a translation between its Trainer and a session."""
