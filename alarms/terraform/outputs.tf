# Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`.

output "page_arn" {
  description = "ARN of the composite alarm that pages."
  value       = aws_cloudwatch_composite_alarm.page.arn
}

output "alarm_names" {
  description = "Names of all alarms."
  value = flatten([
    aws_cloudwatch_metric_alarm.fleet_error_rate.alarm_name,
    aws_cloudwatch_metric_alarm.fleet_latency.alarm_name,
    aws_cloudwatch_metric_alarm.fleet_latency_p99.alarm_name,
    aws_cloudwatch_metric_alarm.throttling[*].alarm_name,
    aws_cloudwatch_metric_alarm.statement_timeouts[*].alarm_name,
    aws_cloudwatch_metric_alarm.database_resuming[*].alarm_name,
    aws_cloudwatch_metric_alarm.tenant_error_rate.alarm_name,
    aws_cloudwatch_metric_alarm.tenant_latency.alarm_name,
    aws_cloudwatch_metric_alarm.tenant_database_time.alarm_name,
    aws_cloudwatch_metric_alarm.largest_share.alarm_name,
    aws_cloudwatch_metric_alarm.latency_raised.alarm_name,
    aws_cloudwatch_composite_alarm.noisy_neighbour.alarm_name,
    aws_cloudwatch_metric_alarm.noisy_neighbour_exact[*].alarm_name,
    aws_cloudwatch_metric_alarm.tenant_spend[*].alarm_name,
    aws_cloudwatch_metric_alarm.billed_requests_anomaly.alarm_name,
    aws_cloudwatch_metric_alarm.database_time_anomaly.alarm_name,
    aws_cloudwatch_metric_alarm.fleet_spend.alarm_name,
    aws_cloudwatch_metric_alarm.tenant_conflicts.alarm_name,
    aws_cloudwatch_metric_alarm.undecided_statements[*].alarm_name,
    aws_cloudwatch_metric_alarm.unattributed_share.alarm_name,
    aws_cloudwatch_metric_alarm.cluster_cpu.alarm_name,
    aws_cloudwatch_metric_alarm.cluster_connections.alarm_name,
    aws_cloudwatch_metric_alarm.cluster_acu.alarm_name,
    aws_cloudwatch_metric_alarm.calls_lost.alarm_name,
    aws_cloudwatch_metric_alarm.export_failures.alarm_name,
    aws_cloudwatch_metric_alarm.series_overflow.alarm_name,
    aws_cloudwatch_metric_alarm.no_data.alarm_name,
    aws_cloudwatch_composite_alarm.page.alarm_name,
  ])
}
