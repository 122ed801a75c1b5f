"""Dashboards and alarms: built from the catalogue, checked, deployed, rehearsed."""
