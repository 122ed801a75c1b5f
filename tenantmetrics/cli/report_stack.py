"""`tenantmetrics report-stack`: the CloudFormation template of the scheduled report."""

from __future__ import annotations

import typer

__all__ = ["report_stack"]


def report_stack() -> None:
    """Print a CloudFormation template that makes the report on the third of every month.

    A Lambda function reads the ledger and the bill, stores the files on S3 and tells an SNS topic.
    """
    from tenantmetrics.scheduled.stack import template

    typer.echo(template(), nl=False)
