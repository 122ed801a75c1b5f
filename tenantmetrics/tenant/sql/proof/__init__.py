"""The proof that nobody else's rows have a part in a statement: one file a part of SQL."""
