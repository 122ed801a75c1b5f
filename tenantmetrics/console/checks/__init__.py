"""Checks of everything that CloudWatch and Grafana take without a word and then show empty."""
