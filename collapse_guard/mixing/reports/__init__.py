"""What a mixed stream has shown, counted from its plan, and kept in a ledger."""
