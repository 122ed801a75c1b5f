"""The dashboards, one a file, described once for CloudWatch and for Grafana.

`model` says what a dashboard is, `quantities` what can be drawn, in both query languages side by
side. `cloudwatch` and `promql` are those languages.
"""
