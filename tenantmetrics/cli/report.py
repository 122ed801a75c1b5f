"""`tenantmetrics report`: what each tenant cost in a month."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.cli.bill_options import (
    Amortized,
    BillAccount,
    BillCluster,
    BillOption,
    BillTag,
    ClustersFile,
    refuse_without_bill,
)
from tenantmetrics.cli.capacity_options import (
    Acu,
    AcuHours,
    CapacityFile,
    ClusterOption,
    IoOptimized,
    capacity_of,
)
from tenantmetrics.cli.division_options import (
    DriverOption,
    IdleOption,
    IdleTo,
    ServerTimeBy,
    ServerTimeOption,
    drivers_of,
)
from tenantmetrics.cli.engine import EngineName, engine_of
from tenantmetrics.cli.money_options import (
    CurrencyOption,
    FailOverBudget,
    ForecastOption,
    RatesOption,
)
from tenantmetrics.cli.over_budget import fail_over, refuse_without_budgets
from tenantmetrics.cli.progress_bar import progress_bar
from tenantmetrics.cli.report_files import keep_inputs, merged, say, write
from tenantmetrics.cli.report_invoices import (
    Corrects,
    DraftToo,
    Exports,
    InvoiceTime,
    RulesFile,
    invoice_plan,
)
from tenantmetrics.cli.report_statements import (
    Formats,
    Months,
    StatementFor,
    StatementsDir,
    TopStatements,
    statement_plan,
)
from tenantmetrics.errors import MissingExtraError, ReportError, UnbalancedError
from tenantmetrics.report.formats import SUFFIXES, TOP, Format, in_format

if TYPE_CHECKING:
    from tenantmetrics.cost.statement import Statement

__all__ = ["report"]

_EXIT_UNBALANCED = 2


def report(
    *,
    ledger: Annotated[
        str,
        typer.Option(
            "--ledger",
            "--usage",
            help="A ledger (folder or s3://...), exported EMF logs, or cloudwatch:NAMESPACE.",
        ),
    ],
    month: Annotated[
        str | None, typer.Option(help="Such as 2026-11. [default: the ledger's last]")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="Another month to compare with, such as 2026-10.")
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="Zone of the month's borders; AWS bills in UTC.")
    ] = "UTC",
    prices: Annotated[
        Path | None, typer.Option(help="A price file. [default: the region's list prices]")
    ] = None,
    region: Annotated[str, typer.Option(help="Region of the built-in prices.")] = "us-east-1",
    acu: Acu = None,
    acu_hours: AcuHours = None,
    io_optimized: IoOptimized = False,
    capacity: CapacityFile = None,
    cluster: ClusterOption = None,
    storage: Annotated[
        Path | None, typer.Option(help="CSV of tenant, bytes: bills storage by what each stores.")
    ] = None,
    tenants: Annotated[
        Path | None, typer.Option(help="CSV of tenant, revenue, share, and any groups.")
    ] = None,
    currency: CurrencyOption = None,
    rates: RatesOption = None,
    forecast: ForecastOption = False,
    fail_over_budget: FailOverBudget = None,
    driver: DriverOption = None,
    bill: BillOption = None,
    bill_account: BillAccount = None,
    bill_cluster: BillCluster = None,
    clusters: ClustersFile = None,
    bill_tag: BillTag = None,
    amortized: Amortized = False,
    idle: IdleOption = IdleTo.SEPARATE,
    server_time: ServerTimeOption = ServerTimeBy.AUTO,
    skip_corrupt: Annotated[
        bool, typer.Option("--skip-corrupt", help="Go on without unreadable files, and say so.")
    ] = False,
    engine: Annotated[
        EngineName, typer.Option(help="What sums the ledger up; duckdb runs in this process.")
    ] = EngineName.DUCKDB,
    spark_master: Annotated[
        str | None, typer.Option(help="Where Spark runs. [default: spark-submit's, or local]")
    ] = None,
    athena_table: Annotated[
        str | None, typer.Option(help="TABLE or DATABASE.TABLE. [default: tenantmetrics_ledger]")
    ] = None,
    athena_workgroup: Annotated[
        str | None, typer.Option(help="Runs and pays for the queries. [default: primary]")
    ] = None,
    athena_output: Annotated[
        str | None, typer.Option(help="s3://... for results. [default: the workgroup's]")
    ] = None,
    athena_timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds a query may take. [default: 1800]")
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output", "--out", "-o", help="File to write, format by suffix; may be repeated."
        ),
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Format, where a suffix does not say it.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Tenants the table names one by one.")] = TOP,
    csv_locale: Annotated[
        str | None,
        typer.Option(help="CSV for spreadsheets of a locale, such as de_DE. [default: programs]"),
    ] = None,
    statement_for: StatementFor = None,
    statements: StatementsDir = None,
    statement_format: Formats = None,
    statement_months: Months = 13,
    statement_top: TopStatements = 10,
    invoice_export: Exports = None,
    invoice_rules: RulesFile = None,
    invoice_corrects: Corrects = None,
    invoice_draft: DraftToo = False,
    invoice_time: InvoiceTime = None,
) -> None:
    """Report what each tenant cost in a month.

    Every cent of the bill is on a line. Exit code 0: made. 1: a wrong input, named in one line. 2:
    wrong usage, or the lines do not add up. 3: made, and over a budget (`--fail-over-budget`).
    """
    try:
        import rich  # noqa: F401 - what shows the progress

        from tenantmetrics.cost import AllocationRequest, BillFilter, monthly
        from tenantmetrics.report import terminal
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "duckdb", "pyarrow"}:
            raise
        raise MissingExtraError("the report", "report") from None

    refuse_without_budgets(fail_over_budget, tenants)
    wanted = statement_plan(
        statement_for, statements, statement_format,
        output=output or (), stdout_format=format_, months=statement_months, top=statement_top,
    )  # fmt: skip
    invoice = invoice_plan(
        invoice_export, invoice_rules, invoice_corrects,
        draft_too=invoice_draft, time=invoice_time,
        shown=statements is not None or bool(statement_for),
    )  # fmt: skip
    refuse_without_bill(
        bill, bill_account=bill_account, bill_cluster=bill_cluster, tag=bill_tag,
        clusters=clusters, amortized=amortized or None,
    )  # fmt: skip
    keep_inputs(
        (ledger, prices, capacity, storage, tenants, rates, clusters, invoice_rules),
        (*(bill or ()), *map(str, invoice.earlier)),
        (*(output or ()), *invoice.files),
    )
    # A tenant and a file: then that is the tenant's, and nobody else's figures are in it.
    reported = () if wanted.is_one else output or ()
    formats = {path: _format_of(path, format_) for path in reported}
    known = capacity_of(
        acu=acu, acu_hours=acu_hours, file=capacity, cluster=cluster, io_optimized=io_optimized
    )
    sums_up = engine_of(
        engine,
        spark_master=spark_master,
        athena_table=athena_table,
        athena_workgroup=athena_workgroup,
        athena_output=athena_output,
        athena_timeout=athena_timeout,
    )

    def of(which: str | None, *, top_statements: int = 0) -> Statement:
        request = AllocationRequest(
            usage=ledger,
            month=which,
            timezone=timezone,
            prices=prices,
            region=region,
            capacity=known,
            storage=storage,
            tenants=tenants,
            drivers=drivers_of(driver or []),
            bill=bill or None,
            bill_filter=BillFilter.of(bill_account, bill_cluster, bill_tag),
            clusters=clusters,
            amortized=amortized,
            idle=idle.value,
            server_time=server_time.value,
            skip_corrupt=skip_corrupt,
            engine=sums_up,
            currency=currency,
            rates=rates,
            forecast=forecast and which == month,
            top_statements=top_statements,
            top_statements_of=statement_for or (),
        )
        return monthly(request)

    try:
        with progress_bar():
            statement = of(month, top_statements=wanted.top)
            if compare is not None:
                statement = replace(statement, previous=of(compare))
            bills, more = invoice.made(statement, tenants)
            pages, notes = wanted.made(
                statement, of, invoice,
                storage=storage, tenants=tenants, one_month=acu_hours is not None and not bill,
            )  # fmt: skip
        say(statement.left_out, *notes, *more)
        # Every file is complete before the first is there: a failure leaves none behind.
        reports = {
            path: partial(in_format, statement, kind, top=top, csv_locale=csv_locale)
            for path, kind in formats.items()
        }
        own = wanted.files(pages)
        files = merged(reports, own, bills)
        write(files, wanted.folder)
    except UnbalancedError as error:
        typer.echo(f"tenantmetrics: {error}", err=True)
        raise typer.Exit(_EXIT_UNBALANCED) from None
    if pages is not None and wanted.is_one and not own:
        _print(wanted.text(pages).encode())
    elif not files and (format_ is None or format_ is Format.TABLE):
        if isinstance(sys.stdout, TextIOWrapper):
            # A name that the terminal cannot write is no reason to show nothing.
            sys.stdout.reconfigure(errors="backslashreplace")
        terminal.show(statement, top=top)
    elif not files and format_ is not None:
        _print(in_format(statement, format_, top=top, csv_locale=csv_locale))
    fail_over(statement, fail_over_budget)


def _print(content: bytes) -> None:
    # Bytes, so that CSV's line ends and every tenant's name survive the terminal's encoding.
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _format_of(path: Path, given: Format | None) -> Format:
    if given is not None:
        return given
    for kind, suffix in SUFFIXES.items():
        if path.name.lower().endswith(suffix):
            return kind
    raise ReportError(
        f"--output {str(path)!r}: the suffix names no format (known are "
        f"{', '.join(SUFFIXES.values())}); add --format"
    )
