"""`tenantmetrics rls check`: what the catalogue says of row-level security, rule by rule."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.cli.aws_options import ClusterRegion, EndpointUrl, Url
from tenantmetrics.cli.rls.target import (
    COLUMN,
    VARIABLE,
    ColumnName,
    DatabaseName,
    ResourceArn,
    Roles,
    Schemas,
    SecretArn,
    UserColumn,
    Variable,
    connect,
    ends_with_2,
)

if TYPE_CHECKING:
    from tenantmetrics.policies.check import CheckReport
    from tenantmetrics.policies.finding import Finding

__all__ = ["check", "safe"]


class FindingsFormat(StrEnum):
    """How findings are printed."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


class FailOn(StrEnum):
    """The least severity that fails."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"


def check(
    *,
    url: Url = None,
    resource_arn: ResourceArn = None,
    secret_arn: SecretArn = None,
    database: DatabaseName = None,
    region: ClusterRegion = None,
    endpoint_url: EndpointUrl = None,
    column: ColumnName = COLUMN,
    variable: Variable = VARIABLE,
    user_column: UserColumn = None,
    schema: Schemas = None,
    role: Roles = None,
    format_: Annotated[
        FindingsFormat, typer.Option("--format", help="How to print.")
    ] = FindingsFormat.TABLE,
    baseline: Annotated[
        Path | None, typer.Option(help="File of known findings; they are not reported.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Write all current findings to this file.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 for a finding of this severity or above.")
    ] = FailOn.WARNING,
) -> None:
    """Check row-level security.

    Tables, policies, keys, roles, views and functions. Read-only, in a READ ONLY transaction; only
    the catalogue is read, no row. Exits with 0 if all is well, 1 if something was found, 2 if the
    database could not be checked.
    """
    from tenantmetrics.policies.baseline import read_baseline
    from tenantmetrics.policies.baseline import write_baseline as write
    from tenantmetrics.policies.check import check as checked
    from tenantmetrics.policies.sarif import sarif
    from tenantmetrics.policies.scope import Settings

    settings = Settings(
        column=column,
        variable=variable,
        user_column=user_column,
        schemas=tuple(schema or ()),
        roles=tuple(role or ()),
    )
    with ends_with_2():
        known = read_baseline(baseline) if baseline is not None else set()
        with connect(
            resource_arn=resource_arn,
            secret_arn=secret_arn,
            database=database,
            url=url,
            region=region,
            endpoint_url=endpoint_url,
        ) as connection:
            report = checked(connection, settings)
        if write_baseline is not None:
            write(write_baseline, report.findings)
            known |= {found.key for found in report.findings}
    found = [finding for finding in report.findings if finding.key not in known]
    mended = sorted(known - {finding.key for finding in report.findings})
    if format_ is FindingsFormat.JSON:
        document = {
            "tables": report.tables,
            "roles": report.roles,
            "findings": [finding.as_dict() for finding in found],
            "known": len(report.findings) - len(found),
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))
    elif format_ is FindingsFormat.SARIF:
        print(json.dumps(sarif(found), ensure_ascii=False, indent=2))
    else:
        _print(report, found)
    for rule, name in mended:
        typer.echo(
            f"tenantmetrics: {rule} of {name} is in the baseline but was not found: "
            "remove it from there",
            err=True,
        )
    if fail_on is not FailOn.NEVER and any(_fails(finding, fail_on) for finding in found):
        raise typer.Exit(1)


def _fails(finding: Finding, fail_on: FailOn) -> bool:
    from tenantmetrics.policies.finding import Severity

    return finding.severity.rank <= Severity(fail_on.value).rank


def _print(report: CheckReport, found: list[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    from tenantmetrics.policies.finding import Severity

    console = Console(highlight=False, soft_wrap=True)
    colours = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
    for finding in found:
        head = Text(f"{finding.severity:8}", style=colours[finding.severity])
        head.append(f"{finding.rule.id}  {finding.rule.name}  {safe(finding.object)}", "default")
        console.print(head)
        console.print(f"        {safe(finding.why)}", markup=False)
        for line in finding.mend.split("\n"):
            console.print(f"            {safe(line)}", style="dim", markup=False)
    counts = {
        severity: sum(finding.severity is severity for finding in found) for severity in Severity
    }
    known = len(report.findings) - len(found)
    said = [f"{count} {severity}" for severity, count in counts.items() if count]
    console.print(
        f"{len(report.tables)} tables, application: {safe(', '.join(report.roles)) or 'nobody'}: "
        f"{', '.join(said) or 'nothing found'}{f', {known} known' if known else ''}",
        markup=False,
    )


def safe(text: str) -> str:
    """A name may hold what turns a terminal's line around."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
