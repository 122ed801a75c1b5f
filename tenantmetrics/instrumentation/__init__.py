"""One thin adapter a client library: each knows that library's events and nothing else."""
