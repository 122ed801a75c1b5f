"""Limits of AWS and PostgreSQL: one a line, with where it was read and why it matters."""

from __future__ import annotations

BILLED_REQUEST_BYTES = 32 * 1024
"""The Data API is metered in 32 KB steps, 35 KB counting as two requests (Aurora pricing page)."""

SQL_MAX_CHARS = 65_536
"""`sql` of ExecuteStatement (botocore service model, SqlStatement): nothing longer reaches AWS."""

QUERY_SUMMARY_MAX_CHARS = 255
"""`db.query.summary` (OpenTelemetry database conventions), never cut inside a token."""

TENANT_MAX_CHARS = 1_024
"""CloudWatch dimension value (PutMetricData, Dimension); longer names could not be exported."""

NAMESPACE_PATTERN = r"(?!AWS/)(?=.*\S)[A-Za-z0-9._\-/#:]{1,255}"
"""CloudWatch namespace (PutMetricData): AWS/ is AWS's own."""

METRIC_DATA_MAX = 1_000
"""Metrics in one PutMetricData request (API reference); more is refused as a whole."""

METRIC_VALUES_MAX = 150
"""Values/Counts of one metric in a PutMetricData request (MetricDatum); more is refused."""

PUT_METRIC_DATA_MAX_BYTES = 1_000_000
"""PutMetricData's HTTP body, 1 MB (API reference), taken as 10**6 and before compression."""

DIMENSION_VALUE_MAX_CHARS = 1_024
"""CloudWatch dimension value (Dimension): ASCII with something visible in it."""

METRIC_MAX_AGE_S = 14 * 24 * 3600
"""PutMetricData refuses older timestamps (MetricDatum): windows of a longer outage are given up."""

METRIC_5_MINUTES_KEPT_S = 63 * 24 * 3600
"""How long CloudWatch keeps a metric's 5-minute values (user guide, "Metrics retention")."""

METRIC_HOURS_KEPT_S = 455 * 24 * 3600
"""How long CloudWatch keeps a metric's hourly values (the same): nothing older can be read."""

GET_METRIC_DATA_MAX_QUERIES = 500
"""Series in one GetMetricData request (API reference, `MetricDataQueries`); more is refused."""

EMF_VALUES_MAX = 100
"""Values of one metric in an EMF document (EMF specification)."""

EMF_MAX_BYTES = 256 * 1024
"""One EMF document (EMF specification), the size of the smallest log event that takes it whole."""

OTLP_CLOUDWATCH_MAX_POINTS = 1_000
"""Datapoints a request at CloudWatch's OTLP endpoint; more is refused as a whole."""

OTLP_CLOUDWATCH_MAX_BYTES = 1_000_000
"""Bytes a request at CloudWatch's OTLP endpoint, before compression: 1 MB, taken as 10**6."""

PERFORMANCE_INSIGHTS_MAX_QUERIES = 15
"""Queries in one GetResourceMetrics request (botocore service model, MetricQueryList)."""

PERFORMANCE_INSIGHTS_MAX_GROUPS = 25
"""Names that one query tells apart, the largest (botocore service model, Limit)."""

PERFORMANCE_INSIGHTS_MAX_RESULTS = 25
"""Series a response (botocore service model, MaxResults); NextToken gives the others."""

APPLICATION_NAME_MAX_BYTES = 63
"""What PostgreSQL shows of an application_name (NAMEDATALEN - 1); longer ones are cut."""
