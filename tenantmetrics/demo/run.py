"""The demo from start to finish: database, endpoint, load, ledger, bill, proof."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.config import Config as BotoConfig
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import tenantmetrics
from tenantmetrics import config
from tenantmetrics.cost import Capacity, monthly
from tenantmetrics.dataapi.fields import sql_parameters
from tenantmetrics.demo.capacity import awake
from tenantmetrics.demo.check import Check, compare
from tenantmetrics.demo.schema import APPLICATION_ROLE, HEAVY, STATEMENTS, TENANTS
from tenantmetrics.demo.shares import Shares, compare_shares
from tenantmetrics.demo.workload import Workload
from tenantmetrics.errors import ReportError
from tenantmetrics.localapi import Endpoint, serve
from tenantmetrics.policies.read import read
from tenantmetrics.policies.source import DataApiConnection
from tenantmetrics.policies.tenant_schema import tenant_schema
from tenantmetrics.report import csv, html, terminal

__all__ = ["run"]

_DATABASE = "hotel"
_GUESTS, _EVALUATIONS = 3, 2
_OVERHEAD = "overhead:median=0.02:p99=0.04"
"""A call on AWS takes some 20 ms that are not the database's."""
_SEED = 1
_ROWS_SHOWN = 8
_FLUSH_TIMEOUT_S = 10.0


def run(output: Path, duration_s: float, console: Console, *, overhead: bool = True) -> Path:
    """Run the demo.

    Args:
        output: Folder for the results; a new folder is made in it for each run.
        duration_s: Seconds of load.
        console: Where to print.
        overhead: Whether each call has the wall time of one on AWS.

    Returns:
        The folder of this run's files.

    Raises:
        ReportError: The counts or the shares do not agree, or the folder cannot be written.
        LocalApiError: The endpoint or its PostgreSQL cannot start.
    """
    console.print("starting an embedded PostgreSQL and the local RDS Data API …", style="dim")
    with serve(
        roles=[APPLICATION_ROLE], database=_DATABASE, fault_seed=_SEED, time_statements=True
    ) as endpoint:
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
        if overhead:
            endpoint.faults.add(_OVERHEAD)
        _write_tenant_schema(endpoint, folder / "tenant-schema.json")
        server_time = endpoint.server_time
        assert server_time is not None  # noqa: S101 - it was asked for
        server_time.clear()
        before = endpoint.requests.total
        tenantmetrics.configure(
            exporters=[f"ledger:{ledger}"],
            flush_interval_s=5,
            tenant_schema=str(folder / "tenant-schema.json"),
        )
        started_s = time.time()
        workload = _load(endpoint, duration_s, console)
        ended_s = time.time()
        if not tenantmetrics.shutdown(_FLUSH_TIMEOUT_S):
            raise ReportError(f"the ledger in {ledger} could not be written: is the disk full?")
        received = endpoint.requests.total - before
    check = compare(
        ledger,
        workload.record(),
        received,
        workload.rows_checked,
        workload.rows_of_others,
    )
    hourly = awake(folder / "capacity.csv", started_s, ended_s)
    statement = monthly(ledger, capacity=Capacity(hourly=hourly))
    csv.write(statement, folder / "report.csv")
    html.write(statement, folder / "report.html")
    console.print()
    terminal.show(statement, console)
    console.print()
    _print_check(check, console)
    shares = compare_shares(statement, server_time.by_label())
    _print_shares(shares, console)
    _print_files(folder, console)
    if not check.holds:
        raise ReportError(f"the demo's counts do not agree: {check}")
    if not shares.holds:
        raise ReportError(
            f"{100 * shares.moved_by_bill:.1f} % of the compute is billed to tenants that "
            "PostgreSQL did not work for: more than chance explains"
        )
    return folder


def _create_schema(endpoint: Endpoint) -> None:
    """Through the Data API, as an application would; with a client that is not metered."""
    with _closing(endpoint.client()) as client:
        values = {"tenants": ",".join(TENANTS), "heavy": HEAVY}
        for sql in STATEMENTS:
            client.execute_statement(
                resourceArn=endpoint.resource_arn,
                secretArn=endpoint.secret_arn,
                database=_DATABASE,
                sql=sql,
                parameters=sql_parameters(
                    {name: value for name, value in values.items() if f":{name}" in sql}
                ),
            )


def _write_tenant_schema(endpoint: Endpoint, path: Path) -> None:
    """As `tenantmetrics rls schema` does: which tables row-level security guards, and the keys."""
    target = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
    with _closing(endpoint.client()) as client:
        connection = DataApiConnection(client, **target, database=_DATABASE)
        with connection.transaction(read_only=True):
            columns = config.load({}).tenant_columns
            found = tenant_schema(read(connection), columns, shared=["amenities"])
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


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
        endpoint.client(config=BotoConfig(max_pool_connections=_GUESTS + _EVALUATIONS))
    )
    workload = Workload(
        client,
        {
            "resourceArn": endpoint.resource_arn,
            "secretArn": endpoint.secret_arns[APPLICATION_ROLE],
            "database": _DATABASE,
        },
        guests=_GUESTS,
        evaluations=_EVALUATIONS,
        seed=_SEED,
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
        task = bar.add_task(f"{_GUESTS + _EVALUATIONS} threads at work", total=1.0, calls=0)
        workload.run(duration_s, lambda done, calls: bar.update(task, completed=done, calls=calls))
    return workload


@contextmanager
def _closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        client.close()


def _verdict(holds: bool) -> str:
    return "[green]agree[/]" if holds else "[red]DIFFER[/]"


def _print_check(check: Check, console: Console) -> None:
    calls = check.recorded == check.in_ledger and not check.differing
    console.print(
        f"calls: {check.recorded:,} recorded by the workload, {check.in_ledger:,} in the ledger, "
        f"per tenant and operation: {_verdict(calls)}"
    )
    console.print(
        f"HTTP requests: {check.received:,} counted by the endpoint, {check.attempts:,} attempts "
        f"in the ledger: {_verdict(check.received == check.attempts)}"
    )
    console.print(
        f"row-level security: {check.rows_checked:,} rows read, "
        f"{check.rows_of_others:,} of another tenant: {_verdict(not check.rows_of_others)}"
    )


def _print_shares(shares: Shares, console: Console) -> None:
    """Who PostgreSQL worked for, who is billed for it, and who would be by wall time."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Tenant")
    for title in ("PostgreSQL's own time", "Compute billed", "Wall time"):
        table.add_column(title, justify="right")
    others = shares.tenants[_ROWS_SHOWN:]
    for tenant, *columns in [
        *shares.tenants[:_ROWS_SHOWN],
        (
            f"… {len(others)} more",
            sum(tenant.server for tenant in others),
            sum(tenant.billed for tenant in others),
            sum(tenant.wall for tenant in others),
        ),
    ]:
        table.add_row(str(tenant), *(f"{100 * float(share):.1f} %" for share in columns))
    console.print()
    console.print(table)
    console.print(
        f"compute on the wrong tenant: {100 * shares.moved_by_wall:.1f} % if divided by wall time, "
        f"{100 * shares.moved_by_bill:.1f} % as billed {_allowed(shares)}",
        highlight=False,
    )


def _allowed(shares: Shares) -> str:
    """The verdict on what is billed, and what it rests on."""
    if shares.allowed is None:
        return "(too few calls for a verdict: try more --seconds)"
    allowed = 100 * shares.allowed
    return f"(at most {allowed:.0f} % for so few calls): {_verdict(shares.holds)}"


def _print_files(folder: Path, console: Console) -> None:
    console.print()
    for name, about in (
        ("report.html", "the same with a chart: open it in a browser"),
        ("report.csv", "for a spreadsheet"),
        ("capacity.csv", "what the cluster had, hour by hour: for report --capacity"),
        ("tenant-schema.json", "its keys and policies: from rls schema --shared amenities"),
        ("ledger/", "Parquet, one file a writer and window"),
    ):
        console.print(f"  {folder / name}  [dim]{about}[/]", soft_wrap=True, highlight=False)
    console.print("\nnext:")
    for command in (
        f"report --ledger {folder / 'ledger'} --capacity {folder / 'capacity.csv'} --idle weighted",
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
