# Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`.

variable "namespace" {
  description = "CloudWatch namespace of the metrics."
  type        = string
  default     = "TenantMetrics"
}

variable "prefix" {
  description = "What the alarms' names begin with."
  type        = string
  default     = "tenantmetrics"
}

variable "cluster_id" {
  description = "DBClusterIdentifier of the cluster."
  type        = string
  default     = "my-aurora-cluster"
}

variable "page_topic_arn" {
  description = "SNS topic that pages somebody."
  type        = string
}

variable "notify_topic_arn" {
  description = "SNS topic for what can wait until the morning."
  type        = string
}

variable "detailed_metrics" {
  description = "Whether metric_level is detailed: adds the alarms on error codes."
  type        = bool
  default     = false
}

variable "otlp_metrics" {
  description = "Whether the otlp exporter sends to CloudWatch: adds the PromQL alarms."
  type        = bool
  default     = false
}

variable "undecided_alarm" {
  description = "Whether there is an alarm on statements that do not restrict their rows to their session's tenant; for databases without row-level security."
  type        = bool
  default     = false
}

variable "undecided_calls" {
  description = "Calls a minute that do not restrict their rows to their session's tenant."
  type        = number
  default     = 0
}

variable "minimum_calls" {
  description = "Calls a minute below which rates are ignored."
  type        = number
  default     = 5
}

variable "error_rate_percent" {
  description = "Fleet: failed calls, percent."
  type        = number
  default     = 5
}

variable "latency_ms" {
  description = "Fleet: average latency, milliseconds."
  type        = number
  default     = 500
}

variable "latency_peak_ms" {
  description = "Fleet: p99 latency, milliseconds."
  type        = number
  default     = 2000
}

variable "tenant_error_ratio" {
  description = "One tenant: failed calls, as a share of 1."
  type        = number
  default     = 0.05
}

variable "tenant_latency_ms" {
  description = "One tenant: average latency, milliseconds."
  type        = number
  default     = 1000
}

variable "noisy_share_percent" {
  description = "One tenant's share of the load, percent."
  type        = number
  default     = 50
}

variable "noisy_database_ms" {
  description = "One tenant's estimated server time in a minute, milliseconds; 60000 is one session active all the time."
  type        = number
  default     = 60000
}

variable "others_latency_ms" {
  description = "Average latency, milliseconds, that a noisy neighbour must cause to count."
  type        = number
  default     = 250
}

variable "throttled_calls" {
  description = "Throttled calls of a tenant a minute."
  type        = number
  default     = 10
}

variable "timed_out_calls" {
  description = "Timed out statements of a tenant a minute."
  type        = number
  default     = 3
}

variable "resuming_calls" {
  description = "Calls of a tenant a minute to a paused database."
  type        = number
  default     = 3
}

variable "anomaly_band" {
  description = "Width of the anomaly band, in standard deviations."
  type        = number
  default     = 3
}

variable "spend_factor" {
  description = "How many times its usual hour a tenant may use."
  type        = number
  default     = 4
}

variable "spend_floor_requests" {
  description = "Billed requests an hour below which a tenant's rise does not count."
  type        = number
  default     = 10000
}

variable "fleet_usd_a_day" {
  description = "Estimated spend a day, USD."
  type        = number
  default     = 100
}

variable "usd_per_million_requests" {
  description = "Data API price, USD; list price."
  type        = number
  default     = 0.35
}

variable "usd_per_acu_hour" {
  description = "Price of an ACU-hour, USD; list price."
  type        = number
  default     = 0.12
}

variable "unattributed_percent" {
  description = "Calls without a tenant, percent of all."
  type        = number
  default     = 5
}

variable "cpu_percent" {
  description = "CPU of the cluster, percent."
  type        = number
  default     = 80
}

variable "max_connections" {
  description = "max_connections of the cluster."
  type        = number
  default     = 2000
}

variable "connections_percent" {
  description = "Connections, percent of MaxConnections."
  type        = number
  default     = 80
}

variable "acu_percent" {
  description = "Capacity, percent of the cluster's maximum."
  type        = number
  default     = 75
}
