"""The demo from start to finish: database, endpoint, load, ledger, bill, proof."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from botocore.config import Config as BotoConfig
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import tenantmetrics
from tenantmetrics.cost import Capacity, monthly
from tenantmetrics.demo.check import Check, compare
from tenantmetrics.demo.schema import APPLICATION_ROLE, STATEMENTS, TENANTS
from tenantmetrics.demo.workload import Workload
from tenantmetrics.errors import ReportError
from tenantmetrics.localapi import Endpoint, serve
from tenantmetrics.report import csv, html, terminal

__all__ = ["run"]

_ACU = Decimal(2)
_DATABASE = "hotel"
_THREADS = 6
_FLUSH_TIMEOUT_S = 10.0


def run(output: Path, duration_s: float, console: Console) -> Path:
    """Run the demo.

    Args:
        output: Folder for the results; a new folder is made in it for each run.
        duration_s: Seconds of load.
        console: Where to print.

    Returns:
        The folder of this run's files.

    Raises:
        ReportError: The counts do not agree, or the folder cannot be written.
        LocalApiError: The endpoint or its PostgreSQL cannot start.
    """
    console.print("starting an embedded PostgreSQL and the local RDS Data API …", style="dim")
    with serve(roles=[APPLICATION_ROLE], database=_DATABASE) as endpoint:
        _create_schema(endpoint)
        console.print(
            f"RDS Data API at [bold]{endpoint.url}[/] over {_server_version(endpoint)}, "
            f"{len(TENANTS)} tenants under row-level security, application role "
            f"{APPLICATION_ROLE!r} (no superuser, no BYPASSRLS)",
            highlight=False,
        )
        # Made only now: a run that could not start leaves no folder behind.
        folder = output / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        ledger = folder / "ledger"
        try:
            ledger.mkdir(parents=True)
        except OSError as error:
            raise ReportError(
                f"cannot write to {folder}: {error.strerror}; choose another folder with --output"
            ) from None
        before = endpoint.requests.total
        tenantmetrics.configure(exporters=[f"ledger:{ledger}"], flush_interval_s=5)
        workload = _load(endpoint, duration_s, console)
        if not tenantmetrics.shutdown(_FLUSH_TIMEOUT_S):
            raise ReportError(f"the ledger in {ledger} could not be written: is the disk full?")
        received = endpoint.requests.total - before
    check = compare(
        ledger,
        workload.record(),
        received,
        sum(workload.rows_checked),
        sum(workload.rows_of_others),
    )
    statement = monthly(ledger, capacity=Capacity(acu=_ACU))
    csv.write(statement, folder / "report.csv")
    html.write(statement, folder / "report.html")
    console.print()
    terminal.show(statement, console)
    console.print()
    _print_check(check, console)
    _print_files(folder, console)
    if not check.holds:
        raise ReportError(f"the demo's counts do not agree: {check}")
    return folder


def _create_schema(endpoint: Endpoint) -> None:
    """Through the Data API, as an application would; with a client that is not metered."""
    with _closing(endpoint.client()) as client:
        tenants = {"name": "tenants", "value": {"stringValue": ",".join(TENANTS)}}
        for sql in STATEMENTS:
            client.execute_statement(
                resourceArn=endpoint.resource_arn,
                secretArn=endpoint.secret_arn,
                database=_DATABASE,
                sql=sql,
                parameters=[tenants] if ":tenants" in sql else [],
            )


def _server_version(endpoint: Endpoint) -> str:
    with _closing(endpoint.client()) as client:
        answer = client.execute_statement(
            resourceArn=endpoint.resource_arn,
            secretArn=endpoint.secret_arn,
            sql="SELECT 'PostgreSQL ' || current_setting('server_version')",
        )
    version: str = answer["records"][0][0]["stringValue"]
    return version


def _load(endpoint: Endpoint, duration_s: float, console: Console) -> Workload:
    client = tenantmetrics.instrument(
        endpoint.client(config=BotoConfig(max_pool_connections=_THREADS))
    )
    workload = Workload(
        client,
        {
            "resourceArn": endpoint.resource_arn,
            "secretArn": endpoint.secret_arns[APPLICATION_ROLE],
            "database": _DATABASE,
        },
        threads=_THREADS,
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[calls]:,} calls"),
        TimeRemainingColumn(),
    )
    with (
        _closing(client),
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task(f"{_THREADS} threads at work", total=1.0, calls=0)
        workload.run(duration_s, lambda done, calls: bar.update(task, completed=done, calls=calls))
    return workload


@contextmanager
def _closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        client.close()


def _print_check(check: Check, console: Console) -> None:
    def verdict(holds: bool) -> str:
        return "[green]agree[/]" if holds else "[red]DIFFER[/]"

    calls = check.recorded == check.in_ledger and not check.differing
    console.print(
        f"calls: {check.recorded:,} recorded by the workload, {check.in_ledger:,} in the ledger, "
        f"per tenant and operation: {verdict(calls)}"
    )
    console.print(
        f"HTTP requests: {check.received:,} counted by the endpoint, {check.attempts:,} attempts "
        f"in the ledger: {verdict(check.received == check.attempts)}"
    )
    console.print(
        f"row-level security: {check.rows_checked:,} rows read, "
        f"{check.rows_of_others:,} of another tenant: {verdict(not check.rows_of_others)}"
    )


def _print_files(folder: Path, console: Console) -> None:
    console.print()
    for name, about in (
        ("report.html", "the same with a chart: open it in a browser"),
        ("report.csv", "for a spreadsheet"),
        ("ledger/", "Parquet, one file a writer and window"),
    ):
        console.print(f"  {folder / name}  [dim]{about}[/]", soft_wrap=True, highlight=False)
    console.print("\nnext:")
    for command in (
        f"report --ledger {folder / 'ledger'} --acu 2 --idle weighted",
        "explain \"SELECT * FROM bookings WHERE tenant_id = 'acme'\"",
        "local",
    ):
        console.print(f"  {_program()} {command}", soft_wrap=True, highlight=False, markup=False)


def _program() -> str:
    """The command as this user can type it: `make demo` installs it where no PATH leads."""
    if shutil.which("tenantmetrics"):
        return "tenantmetrics"
    if Path(sys.argv[0]).name == "tenantmetrics":
        return sys.argv[0]
    return f"{sys.executable} -m tenantmetrics"
