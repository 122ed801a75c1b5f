"""`tenantmetrics report-stack`: the CloudFormation template of the scheduled report."""

from __future__ import annotations

import typer

__all__ = ["report_stack"]


def report_stack() -> None:
    """Print a CloudFormation stack that makes the report.

    From the third of a month on, a Lambda function makes the report of the month before. It reads
    the ledger and the bill, stores the files on S3 and notifies an SNS topic. While the bill is
    open the report is a draft, and is made again every day; the final one ends it.
    """
    from tenantmetrics.scheduled.stack import template

    typer.echo(template(), nl=False)
