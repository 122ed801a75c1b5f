"""The alarms, one file for what they are about."""
