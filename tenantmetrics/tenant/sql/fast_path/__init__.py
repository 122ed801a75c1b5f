"""Ordinary statements planned from their tokens, without sqlglot, as the full analysis plans."""
