"""A statement for people and for other programs: one model, one file a format."""
