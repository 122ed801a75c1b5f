"""What a session says: its variables, its transactions, and calls held until it is known."""
