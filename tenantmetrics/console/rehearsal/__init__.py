"""Recorded or described traffic, run through the very rules of dashboards and alarms."""
