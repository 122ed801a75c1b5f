# Generated from tenantmetrics/console/alarmsets/: `python -m tenantmetrics.console`.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.43"
    }
  }
}
