"""Capture: what happened, one `Call` per API call, taken from botocore's public events."""
