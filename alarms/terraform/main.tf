# Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`.

resource "aws_cloudwatch_metric_alarm" "fleet_error_rate" {
  alarm_name          = "${var.prefix}-fleet-error-rate"
  alarm_description   = "Means: More than ${var.error_rate_percent} % of all Data API calls failed in 4 of 5 minutes. Look: dashboard ${var.prefix}-fleet, top tenants by error rate: one tenant or all? Do: One tenant: its last deployment or data. All: cluster events, credentials, schema migrations; roll back what changed last."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 4
  treat_missing_data  = "notBreaching"
  threshold           = var.error_rate_percent

  metric_query {
    id          = "rate"
    return_data = false

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseErrors"
      period      = 60
      stat        = "Average"
    }
  }

  metric_query {
    id          = "calls"
    return_data = false

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseErrors"
      period      = 60
      stat        = "SampleCount"
    }
  }

  metric_query {
    id          = "watched"
    label       = "errors, %"
    expression  = "IF(calls >= ${var.minimum_calls}, 100 * rate, 0)"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "fleet_latency" {
  alarm_name          = "${var.prefix}-fleet-latency"
  alarm_description   = "Means: The average call took more than ${var.latency_ms} ms in 4 of 5 minutes. Look: dashboard ${var.prefix}-fleet, latency and noisy neighbour, then capacity and CPU. Do: Capacity at its maximum: raise it. One tenant ahead of all: see noisy-neighbour. Neither: slow statements in Performance Insights."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 4
  treat_missing_data  = "notBreaching"
  threshold           = var.latency_ms

  metric_query {
    id          = "latency"
    return_data = false

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseDuration"
      period      = 60
      stat        = "Average"
    }
  }

  metric_query {
    id          = "calls"
    return_data = false

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseErrors"
      period      = 60
      stat        = "SampleCount"
    }
  }

  metric_query {
    id          = "watched"
    label       = "average latency, ms"
    expression  = "IF(calls >= ${var.minimum_calls}, latency, 0)"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "fleet_latency_p99" {
  alarm_name                            = "${var.prefix}-fleet-latency-p99"
  alarm_description                     = "Means: One call in a hundred took more than ${var.latency_peak_ms} ms in 8 of 10 minutes. Look: dashboard ${var.prefix}-fleet, top tenants by average latency. Do: Find the tenant's slow statement; add an index or a limit. Locks: end the session that holds them."
  alarm_actions                         = [var.notify_topic_arn]
  ok_actions                            = [var.notify_topic_arn]
  comparison_operator                   = "GreaterThanThreshold"
  evaluation_periods                    = 10
  datapoints_to_alarm                   = 8
  treat_missing_data                    = "notBreaching"
  threshold                             = var.latency_peak_ms
  evaluate_low_sample_count_percentiles = "ignore"
  namespace                             = var.namespace
  metric_name                           = "DatabaseDuration"
  extended_statistic                    = "p99"
  period                                = 60
}

resource "aws_cloudwatch_metric_alarm" "throttling" {
  count = var.detailed_metrics ? 1 : 0

  alarm_name          = "${var.prefix}-throttling"
  alarm_description   = "Means: The Data API throttled a tenant's calls. Look: dashboard ${var.prefix}-tenant, calls by outcome, for the tenant named as contributor. Do: Slow that tenant's job down, batch its statements, or ask AWS for a higher quota."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanOrEqualToThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  threshold           = var.throttled_calls

  metric_query {
    id          = "q1"
    label       = "DatabaseOperations by TenantId"
    expression  = "SELECT SUM(DatabaseOperations) FROM SCHEMA(\"${var.namespace}\", TenantId, Operation, StatusCode) WHERE StatusCode = 'ThrottlingException' GROUP BY TenantId ORDER BY SUM() DESC"
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "statement_timeouts" {
  count = var.detailed_metrics ? 1 : 0

  alarm_name          = "${var.prefix}-statement-timeouts"
  alarm_description   = "Means: A tenant's statements hit the Data API's limit of 45 seconds. Look: dashboard ${var.prefix}-tenant, calls by outcome, for the tenant named as contributor. Do: Find the statement and give it an index, a limit or continueAfterTimeout."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanOrEqualToThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  threshold           = var.timed_out_calls

  metric_query {
    id          = "q1"
    label       = "DatabaseOperations by TenantId"
    expression  = "SELECT SUM(DatabaseOperations) FROM SCHEMA(\"${var.namespace}\", TenantId, Operation, StatusCode) WHERE StatusCode = 'StatementTimeoutException' GROUP BY TenantId ORDER BY SUM() DESC"
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "database_resuming" {
  count = var.detailed_metrics ? 1 : 0

  alarm_name          = "${var.prefix}-database-resuming"
  alarm_description   = "Means: Calls met a database that was paused and had to wake up. Look: dashboard ${var.prefix}-tenant, calls by outcome, for the tenant named as contributor. Do: Raise the minimum capacity above 0 ACU, or let clients wait and call again."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanOrEqualToThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  threshold           = var.resuming_calls

  metric_query {
    id          = "q1"
    label       = "DatabaseOperations by TenantId"
    expression  = "SELECT SUM(DatabaseOperations) FROM SCHEMA(\"${var.namespace}\", TenantId, Operation, StatusCode) WHERE StatusCode = 'DatabaseResumingException' GROUP BY TenantId ORDER BY SUM() DESC"
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "tenant_error_rate" {
  alarm_name          = "${var.prefix}-tenant-error-rate"
  alarm_description   = "Means: A tenant's calls failed by more than ${var.tenant_error_ratio} of 1 in 8 of 10 minutes, at least 8 failures; the contributor is the tenant. Look: dashboard ${var.prefix}-tenant for it, error rate and calls by outcome. Do: Its own deployment or data: tell its owner. Permissions or row-level security: check the role's grants."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 10
  datapoints_to_alarm = 8
  treat_missing_data  = "notBreaching"
  threshold           = var.tenant_error_ratio

  metric_query {
    id          = "q1"
    label       = "DatabaseErrors by TenantId"
    expression  = "SELECT AVG(DatabaseErrors) FROM SCHEMA(\"${var.namespace}\", TenantId) GROUP BY TenantId ORDER BY AVG() DESC"
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "tenant_latency" {
  alarm_name          = "${var.prefix}-tenant-latency"
  alarm_description   = "Means: A tenant's average call took more than ${var.tenant_latency_ms} ms in 8 of 10 minutes; the contributor is the tenant. Look: dashboard ${var.prefix}-tenant for it, latency; dashboard ${var.prefix}-fleet, noisy neighbour. Do: Alone: its statements or its data's size. With others: capacity or a noisy neighbour."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 10
  datapoints_to_alarm = 8
  treat_missing_data  = "notBreaching"
  threshold           = var.tenant_latency_ms

  metric_query {
    id          = "q1"
    label       = "DatabaseDuration by TenantId"
    expression  = "SELECT AVG(DatabaseDuration) FROM SCHEMA(\"${var.namespace}\", TenantId) GROUP BY TenantId ORDER BY AVG() DESC"
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "tenant_database_time" {
  alarm_name          = "${var.prefix}-tenant-database-time"
  alarm_description   = "Means: A tenant used more than ${var.noisy_database_ms} ms of estimated server time a minute in 4 of 5; names the tenant for noisy-neighbour. Look: dashboard ${var.prefix}-fleet, top tenants by load. Do: Nothing by itself; see noisy-neighbour."
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 4
  treat_missing_data  = "notBreaching"
  threshold           = var.noisy_database_ms

  metric_query {
    id          = "q1"
    label       = "DatabaseLoad by TenantId"
    expression  = "SELECT SUM(DatabaseLoad) FROM SCHEMA(\"${var.namespace}\", TenantId) GROUP BY TenantId ORDER BY SUM() DESC"
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "largest_share" {
  alarm_name          = "${var.prefix}-largest-share"
  alarm_description   = "Means: One tenant had more than ${var.noisy_share_percent} % of the load (estimated server time) in 4 of 5 minutes. Look: dashboard ${var.prefix}-fleet, noisy neighbour. Do: Nothing by itself; see noisy-neighbour."
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 4
  treat_missing_data  = "notBreaching"
  threshold           = var.noisy_share_percent

  metric_query {
    id          = "q1"
    expression  = "SELECT SUM(DatabaseLoad) FROM SCHEMA(\"${var.namespace}\", TenantId) GROUP BY TenantId ORDER BY SUM() DESC"
    period      = 60
    return_data = false
  }

  metric_query {
    id          = "busy"
    return_data = false

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseLoad"
      period      = 60
      stat        = "Sum"
    }
  }

  metric_query {
    id          = "watched"
    label       = "largest share, %"
    expression  = "100 * MAX(q1) / busy"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "latency_raised" {
  alarm_name          = "${var.prefix}-latency-raised"
  alarm_description   = "Means: The average call took more than ${var.others_latency_ms} ms in 4 of 5 minutes. Look: dashboard ${var.prefix}-fleet, latency. Do: Nothing by itself; see noisy-neighbour."
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 4
  treat_missing_data  = "notBreaching"
  threshold           = var.others_latency_ms
  namespace           = var.namespace
  metric_name         = "DatabaseDuration"
  statistic           = "Average"
  period              = 60
}

resource "aws_cloudwatch_composite_alarm" "noisy_neighbour" {
  alarm_name        = "${var.prefix}-noisy-neighbour"
  alarm_description = "Means: One tenant causes most of the load while latency is up for the fleet; the contributors of tenant-database-time name it. Look: dashboard ${var.prefix}-fleet, noisy neighbour and average latency by tenant. Do: Slow that tenant down (its job, its rate limit), or raise the cluster's capacity; then its statements."
  alarm_actions     = [var.notify_topic_arn]
  ok_actions        = [var.notify_topic_arn]
  alarm_rule        = "ALARM(\"${var.prefix}-tenant-database-time\") AND ALARM(\"${var.prefix}-largest-share\") AND ALARM(\"${var.prefix}-latency-raised\")"

  depends_on = [
    aws_cloudwatch_metric_alarm.tenant_database_time,
    aws_cloudwatch_metric_alarm.largest_share,
    aws_cloudwatch_metric_alarm.latency_raised,
  ]
}

resource "aws_cloudwatch_metric_alarm" "noisy_neighbour_exact" {
  count = var.otlp_metrics ? 1 : 0

  alarm_name          = "${var.prefix}-noisy-neighbour-exact"
  alarm_description   = "Means: A tenant causes more than ${var.noisy_share_percent} % of the load, and the calls of all the others take more than ${var.others_latency_ms} ms on average. Look: dashboard ${var.prefix}-tenant for the contributor. Do: Slow that tenant down (its job, its rate limit), or raise the cluster's capacity; then its statements."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  evaluation_interval = 60

  evaluation_criteria {
    promql_criteria {
      query           = "(sum by (\"tenant.id\") (rate({\"tenantmetrics.database.load\"}[5m])) / scalar(sum (rate({\"tenantmetrics.database.load\"}[5m]))) > ${var.noisy_share_percent} / 100) and ((scalar(sum (histogram_sum(rate({\"db.client.operation.duration\"}[5m])))) - sum by (\"tenant.id\") (histogram_sum(rate({\"db.client.operation.duration\"}[5m])))) / (scalar(sum (histogram_count(rate({\"db.client.operation.duration\"}[5m])))) - sum by (\"tenant.id\") (histogram_count(rate({\"db.client.operation.duration\"}[5m])))) > ${var.others_latency_ms} / 1000)"
      pending_period  = 180
      recovery_period = 300
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "tenant_spend" {
  count = var.otlp_metrics ? 1 : 0

  alarm_name          = "${var.prefix}-tenant-spend"
  alarm_description   = "Means: A tenant's billed requests of the last hour are more than ${var.spend_factor} times its usual hour of the day before, and more than ${var.spend_floor_requests}. Look: dashboard ${var.prefix}-tenant for the contributor, billed requests and cost to date. Do: A new job or an endless loop: tell its owner; growth: its plan."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  evaluation_interval = 60

  evaluation_criteria {
    promql_criteria {
      query           = "(sum by (\"tenant.id\") (increase({\"tenantmetrics.billed_requests\"}[1h])) > ${var.spend_factor} * sum by (\"tenant.id\") (increase({\"tenantmetrics.billed_requests\"}[1d] offset 1h)) / 24) and (sum by (\"tenant.id\") (increase({\"tenantmetrics.billed_requests\"}[1h])) > ${var.spend_floor_requests}) and (sum by (\"tenant.id\") (increase({\"tenantmetrics.billed_requests\"}[1h] offset 1d)) > 0)"
      pending_period  = 600
      recovery_period = 900
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "billed_requests_anomaly" {
  alarm_name          = "${var.prefix}-billed-requests-anomaly"
  alarm_description   = "Means: The number of billed requests of the fleet is far above what is usual for this hour of the week. Look: dashboard ${var.prefix}-fleet, top tenants by billed requests and by load. Do: Find the tenant that grew; a loop or a new job: tell its owner; growth: its plan."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanUpperThreshold"
  evaluation_periods  = 6
  datapoints_to_alarm = 5
  treat_missing_data  = "notBreaching"
  threshold_metric_id = "band"

  metric_query {
    id          = "m1"
    return_data = true

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseLoad"
      period      = 300
      stat        = "SampleCount"
    }
  }

  metric_query {
    id          = "band"
    label       = "usual"
    expression  = "ANOMALY_DETECTION_BAND(m1, ${var.anomaly_band})"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "database_time_anomaly" {
  alarm_name          = "${var.prefix}-database-time-anomaly"
  alarm_description   = "Means: The load (estimated server time) of the fleet is far above what is usual for this hour of the week. Look: dashboard ${var.prefix}-fleet, top tenants by billed requests and by load. Do: Find the tenant that grew; a loop or a new job: tell its owner; growth: its plan."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanUpperThreshold"
  evaluation_periods  = 6
  datapoints_to_alarm = 5
  treat_missing_data  = "notBreaching"
  threshold_metric_id = "band"

  metric_query {
    id          = "m1"
    return_data = true

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseLoad"
      period      = 300
      stat        = "Sum"
    }
  }

  metric_query {
    id          = "band"
    label       = "usual"
    expression  = "ANOMALY_DETECTION_BAND(m1, ${var.anomaly_band})"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "fleet_spend" {
  alarm_name          = "${var.prefix}-fleet-spend"
  alarm_description   = "Means: Data API and compute of the last day come to more than ${var.fleet_usd_a_day} USD at the prices set here (an estimate). Look: dashboard ${var.prefix}-fleet, estimated cost a day; tenantmetrics report for the cost by tenant. Do: Expected growth: raise the threshold. Else the tenant that rose, or the cluster's maximum capacity."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  threshold           = var.fleet_usd_a_day

  metric_query {
    id          = "billed"
    return_data = false

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseLoad"
      period      = 86400
      stat        = "SampleCount"
    }
  }

  metric_query {
    id          = "acu"
    return_data = false

    metric {
      namespace   = "AWS/RDS"
      metric_name = "ServerlessDatabaseCapacity"
      period      = 86400
      stat        = "Average"

      dimensions = {
        DBClusterIdentifier = var.cluster_id
      }
    }
  }

  metric_query {
    id          = "watched"
    label       = "USD a day"
    expression  = "billed * ${var.usd_per_million_requests} / 1000000 + acu * 24 * ${var.usd_per_acu_hour}"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "tenant_conflicts" {
  alarm_name          = "${var.prefix}-tenant-conflicts"
  alarm_description   = "Means: Calls named two tenants, or one reached into another tenant's rows: maybe one customer sees another's data. Look: the application's log, tenantmetrics.tenant_misuse with the statement's summary; then tenantmetrics explain on that statement. Do: Real: stop the deployment, tell security, keep the ledger. Not real: fix what names the second tenant."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  threshold           = 0
  namespace           = var.namespace
  metric_name         = "TenantConflicts"
  statistic           = "Sum"
  period              = 60
}

resource "aws_cloudwatch_metric_alarm" "undecided_statements" {
  count = var.undecided_alarm ? 1 : 0

  alarm_name          = "${var.prefix}-undecided-statements"
  alarm_description   = "Means: Calls are billed to their session's tenant, and their text does not restrict their rows to it: where no row-level security holds, they may touch another's. Look: the application's log, tenantmetrics.tenant_misuse with kind undecided_under_session and the statement's summary; then tenantmetrics explain on that statement. Do: Add the tenant to the statement's conditions, or row-level security to its tables."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  threshold           = var.undecided_calls
  namespace           = var.namespace
  metric_name         = "UndecidedCalls"
  statistic           = "Sum"
  period              = 60
}

resource "aws_cloudwatch_metric_alarm" "unattributed_share" {
  alarm_name          = "${var.prefix}-unattributed-share"
  alarm_description   = "Means: More than ${var.unattributed_percent} % of the calls name no tenant in 8 of 10 minutes: costs and alarms per tenant miss them. Look: dashboard ${var.prefix}-pipeline; the newest deployment's statements with tenantmetrics explain. Do: Set the tenant in the session or with tenantmetrics.tenant(), or exempt what has none."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 10
  datapoints_to_alarm = 8
  treat_missing_data  = "notBreaching"
  threshold           = var.unattributed_percent

  metric_query {
    id          = "unknown"
    return_data = false

    metric {
      namespace   = var.namespace
      metric_name = "UnattributedCalls"
      period      = 60
      stat        = "Sum"
    }
  }

  metric_query {
    id          = "calls"
    return_data = false

    metric {
      namespace   = var.namespace
      metric_name = "DatabaseErrors"
      period      = 60
      stat        = "SampleCount"
    }
  }

  metric_query {
    id          = "watched"
    label       = "unattributed, %"
    expression  = "IF(calls >= ${var.minimum_calls}, 100 * unknown / calls, 0)"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "cluster_cpu" {
  alarm_name          = "${var.prefix}-cluster-cpu"
  alarm_description   = "Means: The cluster's CPU is above ${var.cpu_percent} % for 15 minutes. Look: dashboard ${var.prefix}-fleet, cluster and top tenants by load. Do: One tenant: slow it down. All: raise the maximum capacity."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  threshold           = var.cpu_percent
  namespace           = "AWS/RDS"
  metric_name         = "CPUUtilization"
  statistic           = "Average"
  period              = 300

  dimensions = {
    DBClusterIdentifier = var.cluster_id
  }
}

resource "aws_cloudwatch_metric_alarm" "cluster_connections" {
  alarm_name          = "${var.prefix}-cluster-connections"
  alarm_description   = "Means: More than ${var.connections_percent} % of ${var.max_connections} connections are in use. Look: dashboard ${var.prefix}-fleet, connections; pg_stat_activity for who holds them. Do: End idle sessions of other clients, or raise max_connections with the capacity."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  threshold           = var.connections_percent

  metric_query {
    id          = "connections"
    return_data = false

    metric {
      namespace   = "AWS/RDS"
      metric_name = "DatabaseConnections"
      period      = 300
      stat        = "Maximum"

      dimensions = {
        DBClusterIdentifier = var.cluster_id
      }
    }
  }

  metric_query {
    id          = "watched"
    label       = "connections, %"
    expression  = "100 * connections / ${var.max_connections}"
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "cluster_acu" {
  alarm_name          = "${var.prefix}-cluster-acu"
  alarm_description   = "Means: Capacity is above ${var.acu_percent} % of the cluster's maximum for 15 minutes. Look: dashboard ${var.prefix}-fleet, capacity against calls and load. Do: Expected load: raise the maximum. Otherwise find the tenant or statement that grew."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  threshold           = var.acu_percent
  namespace           = "AWS/RDS"
  metric_name         = "ACUUtilization"
  statistic           = "Average"
  period              = 300

  dimensions = {
    DBClusterIdentifier = var.cluster_id
  }
}

resource "aws_cloudwatch_metric_alarm" "calls_lost" {
  alarm_name          = "${var.prefix}-calls-lost"
  alarm_description   = "Means: Calls are missing from the numbers; the contributor is the reason. Look: dashboard ${var.prefix}-pipeline, calls lost by reason; the log line tenantmetrics.loss. Do: queue_full: a larger queue_size. export_dropped: the exporter's endpoint. Others: report them with the log line."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  threshold           = 0

  metric_query {
    id          = "q1"
    label       = "CallsDropped by Reason"
    expression  = "SELECT SUM(CallsDropped) FROM SCHEMA(\"${var.namespace}\", Reason) GROUP BY Reason ORDER BY SUM() DESC"
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "export_failures" {
  alarm_name          = "${var.prefix}-export-failures"
  alarm_description   = "Means: An exporter did not deliver in 3 of 5 minutes; the contributor is the exporter. Look: dashboard ${var.prefix}-pipeline, windows not delivered; the log line tenantmetrics.loss. Do: Its endpoint, credentials and quota; the ledger keeps what CloudWatch missed."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  threshold           = 0

  metric_query {
    id          = "q1"
    label       = "ExportFailures by Exporter"
    expression  = "SELECT SUM(ExportFailures) FROM SCHEMA(\"${var.namespace}\", Exporter) GROUP BY Exporter ORDER BY SUM() DESC"
    period      = 60
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "series_overflow" {
  alarm_name          = "${var.prefix}-series-overflow"
  alarm_description   = "Means: Calls were folded into __overflow__: more series than max_series in a minute. Look: dashboard ${var.prefix}-pipeline; the number of tenants a minute. Do: Raise max_series, or find what keeps making new tenant names."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  threshold           = 0
  namespace           = var.namespace
  metric_name         = "SeriesOverflow"
  statistic           = "Sum"
  period              = 60
}

resource "aws_cloudwatch_metric_alarm" "no_data" {
  alarm_name          = "${var.prefix}-no-data"
  alarm_description   = "Means: No window arrived for 15 minutes: nothing is exported, or nothing calls. Look: dashboard ${var.prefix}-pipeline, windows that arrived; the application's own health. Do: Application down: bring it up. Up: exporter's credentials, region, namespace. Quiet at night by design: widen the periods."
  alarm_actions       = [var.notify_topic_arn]
  ok_actions          = [var.notify_topic_arn]
  comparison_operator = "LessThanThreshold"
  evaluation_periods  = 15
  datapoints_to_alarm = 15
  treat_missing_data  = "breaching"
  threshold           = 1
  namespace           = var.namespace
  metric_name         = "UnattributedCalls"
  statistic           = "SampleCount"
  period              = 60
}

resource "aws_cloudwatch_composite_alarm" "page" {
  alarm_name        = "${var.prefix}-page"
  alarm_description = "Means: Customers are affected now: calls fail, all are slow, one tenant may see another's rows, or nothing is seen at all. Look: the alarm of ${var.prefix} that is in ALARM; its description says where next. Do: What that alarm's description says; all other alarms can wait until the morning."
  alarm_actions     = [var.page_topic_arn]
  ok_actions        = [var.page_topic_arn]
  alarm_rule        = "ALARM(\"${var.prefix}-fleet-error-rate\") OR ALARM(\"${var.prefix}-fleet-latency\") OR ALARM(\"${var.prefix}-noisy-neighbour\") OR ALARM(\"${var.prefix}-tenant-conflicts\") OR ALARM(\"${var.prefix}-no-data\")"

  depends_on = [
    aws_cloudwatch_metric_alarm.fleet_error_rate,
    aws_cloudwatch_metric_alarm.fleet_latency,
    aws_cloudwatch_composite_alarm.noisy_neighbour,
    aws_cloudwatch_metric_alarm.tenant_conflicts,
    aws_cloudwatch_metric_alarm.no_data,
  ]
}
