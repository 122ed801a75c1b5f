"""The proof: two tenants' rows, every operation, nothing stays."""
