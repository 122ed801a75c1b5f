# Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`.

provider "aws" {
  region = "us-east-1"
}

resource "aws_sns_topic" "page" {
  name = "on-call"
}

resource "aws_sns_topic" "notify" {
  name = "tenantmetrics"
}

module "tenantmetrics_alarms" {
  source = "../.."

  namespace        = "HospitalityAI"
  cluster_id       = "bookings"
  max_connections  = 1000
  fleet_usd_a_day  = 40
  page_topic_arn   = aws_sns_topic.page.arn
  notify_topic_arn = aws_sns_topic.notify.arn
}

output "page" {
  value = module.tenantmetrics_alarms.page_arn
}
