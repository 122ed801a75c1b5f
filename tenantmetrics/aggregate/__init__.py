"""Aggregate: calls become per-tenant windows on one background thread, in bounded memory."""
