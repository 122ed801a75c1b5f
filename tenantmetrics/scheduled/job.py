"""One run: the statement of a month, its files on S3, a notification."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from tenantmetrics.cost import AllocationRequest, Capacity, monthly
from tenantmetrics.cost.budget_model import BudgetStatus
from tenantmetrics.cost.period import month_of
from tenantmetrics.cost.statement import LineKind, Statement
from tenantmetrics.errors import LedgerError, ReportError, TenantMetricsError
from tenantmetrics.report.formats import MEDIA_TYPES, SUFFIXES, in_format
from tenantmetrics.report.model import build
from tenantmetrics.report.outlook import forecast_sentence, remarks
from tenantmetrics.report.outlook import sentence as budget_sentence
from tenantmetrics.report.text import money, visible
from tenantmetrics.report.work import coverage
from tenantmetrics.scheduled.settings import Settings, in_settings, load

__all__ = ["handler"]

_TOP = 5
_DRAFT = "DRAFT"
_CURRENT = "current"
"""What an event calls the month that runs: its budgets are watched."""
_SUBJECT_CHARS = 100
"""Longest subject of an SNS message (SNS API reference, Publish)."""


def handler(event: Mapping[str, Any] | None, _context: object) -> dict[str, Any]:
    """Make a month's report; Lambda calls it.

    A second run of a month writes over the first. Whatever goes wrong is published to the topic and
    raised, so that Lambda counts the error. Without a month in the event, one whose report is final
    is not made again, and of a draft that is made again only what changed is told.

    Of `{"month": "current"}`, the month that runs, only what changes in how budgets stand is told.

    Args:
        event: `{"month": "2026-10"}` or `{"month": "current"}`; the last full month without it.

    Returns:
        The month, its status, its total and the files' addresses; where the month's report is
        final already, what it said then.

    Raises:
        TenantMetricsError: No report could be made.
    """
    settings = load(os.environ)
    asked = str((event or {}).get("month") or "")
    is_current = asked == _CURRENT
    asked = "" if is_current else asked
    month = asked or _month_now(settings.timezone, before=not is_current)
    try:
        before = _made(settings, month)
        if not asked and before is not None and _DRAFT not in before["status"]:
            return before
        statement = _statement(settings, month)
        files = _store(settings, statement)
    except TenantMetricsError as error:
        _tell(
            settings,
            f"Cost per tenant {month}: no report",
            f"It could not be made: {in_settings(error)}\n",
        )
        raise
    report = build(statement)
    status = " ".join(report.status) or "FINAL"
    total = f"{money(statement.total, statement.quantum)} {statement.currency}"
    answer: dict[str, Any] = {
        "month": statement.period.label,
        "status": list(report.status) or ["FINAL"],
        "total": f"{statement.total:f}",
        "currency": statement.currency,
        "files": files,
    }
    if budgets := _budgets(statement):
        answer["budgets"] = budgets
    # Every day of an open month would tell the same; of the month that runs, each has a new total.
    is_news = budgets != (before or {}).get("budgets", {}) if is_current else answer != before
    if asked or is_news:
        again = "" if before is None or is_current else _again(before, answer)
        _tell(
            settings,
            f"Cost per tenant {statement.period.label}: {total} ({status}){_over(budgets)}",
            again + _words(statement, files),
        )
    _remember(settings, answer)
    return answer


def _again(before: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """What became of a report that was made before."""
    was = f"{' '.join(before['status'])}, {before['total']} {before['currency']}"
    if _DRAFT in before["status"] and _DRAFT not in answer["status"]:
        return f"The month is closed: this report takes the place of a draft ({was}).\n\n"
    return f"Made again; before: {was}.\n\n"


def _place(settings: Settings, month: str) -> tuple[str, str]:
    """Bucket and key of what a month's last report said."""
    parts = urlsplit(settings.output)
    return parts.netloc, f"{parts.path.strip('/')}/{month}/status.json".lstrip("/")


def _made(settings: Settings, month: str) -> dict[str, Any] | None:
    """What the month's last report said; None if there is none."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - with boto3

    bucket, key = _place(settings, month)
    with _s3(settings.output, "read") as client:
        try:
            text = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            # Without s3:ListBucket a missing object is a forbidden one.
            if error.response["Error"]["Code"] in {"NoSuchKey", "404", "AccessDenied", "403"}:
                return None
            raise
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "status" in found else None


def _remember(settings: Settings, answer: Mapping[str, Any]) -> None:
    bucket, key = _place(settings, answer["month"])
    with _s3(settings.output, "written") as client:
        client.put_object(
            Bucket=bucket,
            Key=key,
            Body=json.dumps(answer, indent=1).encode(),
            ContentType="application/json",
        )


def _month_now(timezone: str, *, before: bool) -> str:
    """The present month, or the one before it."""
    present = month_of(int(datetime.now(UTC).timestamp()), timezone)
    return month_of(present.start_s - 1, timezone).label if before else present.label


def _budgets(statement: Statement) -> dict[str, str]:
    """How each budget stands that is not within."""
    states = statement.outlook.budgets if statement.outlook is not None else ()
    return {
        f"{state.budget.scope} {state.budget.name}": str(state.status)
        for state in states
        if state.status is not BudgetStatus.WITHIN
    }


def _over(budgets: Mapping[str, str]) -> str:
    """How many budgets are over, or will be, for a subject."""
    counts = {
        status: sum(found == status for found in budgets.values())
        for status in (BudgetStatus.OVER, BudgetStatus.EXPECTED)
    }
    return "".join(
        f", {count} budget{'s' * (count > 1)} {status}" for status, count in counts.items() if count
    )


def _statement(settings: Settings, month: str) -> Statement:
    """The month's statement, beside the month before where there is one."""
    with TemporaryDirectory(prefix="tenantmetrics-") as folder:
        tenants = _fetch(settings.tenants, Path(folder, "tenants.csv"))
        storage = _fetch(settings.storage, Path(folder, "storage.csv"))
        # By its own name: the report says which file a rate is from.
        name = PurePosixPath(urlsplit(settings.rates).path).name
        rates = _fetch(settings.rates, Path(folder, "rates", name))

        def of(which: str) -> Statement:
            request = AllocationRequest(
                usage=settings.ledger,
                month=which,
                timezone=settings.timezone,
                region=settings.region,
                capacity=Capacity(cluster=settings.cluster) if settings.cluster else None,
                bill=settings.bill or None,
                bill_filter=settings.bill_filter,
                tenants=tenants,
                storage=storage,
                idle=settings.idle,
                server_time=settings.server_time,
                currency=settings.currency or None,
                rates=rates,
                forecast=settings.forecast and which == month,
                amortized=settings.amortized,
            )
            return monthly(request)

        statement = of(month)
        before = month_of(statement.period.start_s - 1, settings.timezone).label
        try:
            previous = of(before)
        except (LedgerError, ReportError):
            # The first month has none before it.
            return statement
    if previous.currency != statement.currency:
        return statement
    return replace(statement, previous=previous)


def _fetch(url: str, target: Path) -> Path | None:
    """An object of S3 as a file; None without one."""
    if not url:
        return None
    parts = urlsplit(url)
    target.parent.mkdir(exist_ok=True)
    with _s3(url, "read") as client:
        client.download_file(parts.netloc, parts.path.lstrip("/"), str(target))
    return target


def _store(settings: Settings, statement: Statement) -> list[str]:
    """Every format, made before the first is stored."""
    label = statement.period.label
    made = {kind: in_format(statement, kind) for kind in settings.formats}
    parts = urlsplit(settings.output)
    files = []
    with _s3(settings.output, "written") as client:
        for kind, content in made.items():
            name = f"{label}/cost-per-tenant-{label}{SUFFIXES[kind]}"
            key = f"{parts.path.strip('/')}/{name}".lstrip("/")
            client.put_object(
                Bucket=parts.netloc, Key=key, Body=content, ContentType=MEDIA_TYPES[kind]
            )
            files.append(f"s3://{parts.netloc}/{key}")
    return files


@contextmanager
def _s3(url: str, verb: str) -> Iterator[Any]:
    """A client, whose errors name the address and what could not be done with it."""
    import boto3  # noqa: PLC0415 - a wrong setting need not wait for it
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    client = boto3.client("s3")
    try:
        yield client
    except (BotoCoreError, ClientError) as error:
        raise ReportError(f"{url!r} cannot be {verb}: {' '.join(str(error).split())}") from None
    finally:
        client.close()


def _words(statement: Statement, files: list[str]) -> str:
    """The notification: what is owed, by whom most, what to doubt, where it lies."""
    report = build(statement)

    def amount(value: Any) -> str:
        return f"{money(value, statement.quantum)} {statement.currency}"

    lines = [f"Total: {amount(statement.total)} for {report.tenants:,} tenants"]
    if report.comparison is not None:
        lines.append(f"Against {report.comparison.label}: {amount(report.comparison.change)}")
    lines += [f"Idle: {amount(report.of(LineKind.IDLE))}"]
    lines += [f"Unattributed: {amount(report.of(LineKind.UNATTRIBUTED))}", ""]
    if statement.outlook is not None:
        of_month = filter(None, [forecast_sentence(statement)])
        states = (budget_sentence(state, statement) for state in statement.outlook.budgets)
        lines += [*of_month, *map(visible, states), *map(visible, remarks(statement.outlook)), ""]
    tenants = [row for row in report.rows if row.kind is LineKind.TENANT]
    lines += [f"{visible(row.tenant)}: {amount(row.total)}" for row in tenants[:_TOP]]
    if statement.server_time is not None:
        lines += ["", *coverage(statement.server_time), *map(visible, report.differences)]
    lines += ["", *report.caveats, *map(visible, statement.notes), "", *files]
    return "\n".join(lines) + "\n"


def _tell(settings: Settings, subject: str, message: str) -> None:
    """Publish to the topic, if there is one."""
    if not settings.topic_arn:
        return
    import boto3  # noqa: PLC0415 - only where somebody is notified

    client = boto3.client("sns")
    try:
        client.publish(
            TopicArn=settings.topic_arn, Subject=subject[:_SUBJECT_CHARS], Message=message
        )
    finally:
        client.close()
