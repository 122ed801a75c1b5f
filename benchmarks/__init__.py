"""Benchmarks: each beside its peers in one run, medians and ratios, no assertions on time."""
