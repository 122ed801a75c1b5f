"""The CloudWatch dashboards, one a file, and the parts that they share."""
