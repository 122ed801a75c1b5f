"""`tenantmetrics explain`: whose call would this statement be, and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenantmetrics.errors import TenantMetricsError

if TYPE_CHECKING:
    from tenantmetrics.tenant.explanation import Explanation

__all__ = ["explain"]


def explain(
    sql: Annotated[str | None, typer.Argument(help="The statement; - or nothing: stdin.")] = None,
    *,
    param: Annotated[
        list[str] | None,
        typer.Option(help="name=text, or name:=JSON for numbers, null and lists. Repeatable."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Read the statement from a file.")] = None,
    context: Annotated[str | None, typer.Option(help="As inside `with tenant(...)`.")] = None,
    database: Annotated[str | None, typer.Option(help="The call's database.")] = None,
    transaction: Annotated[bool, typer.Option(help="As inside a transaction.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print which tenant a statement names, where, and what it would be attributed to."""
    from contextlib import nullcontext

    from tenantmetrics import config
    from tenantmetrics.tenant.context import tenant
    from tenantmetrics.tenant.explanation import explain as explained

    params: dict[str, Any] = {
        "sql": _text(sql, file),
        "parameters": [_parameter(text) for text in param or ()],
    }
    if database is not None:
        params["database"] = database
    if transaction:
        params["transactionId"] = "explained"
    if context == "":
        raise TenantMetricsError("--context is empty: give the tenant's name, or leave it out")
    with tenant(context) if context is not None else nullcontext():
        found = explained(config.load(), params)
    if as_json:
        print(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(found)))


def _text(sql: str | None, file: Path | None) -> str:
    if file is not None:
        if sql is not None:
            raise TenantMetricsError("give the statement or --file, not both")
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TenantMetricsError(f"cannot read {file}: {error}") from None
    elif sql is None or sql == "-":
        text = sys.stdin.read()
    else:
        text = sql
    if not text.strip():
        raise TenantMetricsError("there is no statement: give it as an argument, --file or stdin")
    return text.rstrip("\n")


def _parameter(text: str) -> dict[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip(":"):
        raise TenantMetricsError(f"--param {text!r}: write name=value, or name:=JSON")
    if not name.endswith(":"):
        return {"name": name, "value": {"stringValue": value}}
    try:
        return {"name": name[:-1], "value": _field(json.loads(value))}
    except ValueError:
        raise TenantMetricsError(f"--param {text!r}: {value!r} is not JSON") from None


def _field(value: Any) -> dict[str, Any]:
    """A JSON value as a Field of the Data API."""
    if value is None:
        return {"isNull": True}
    if isinstance(value, list):
        numbers = bool(value) and all(isinstance(item, int) for item in value)
        return {"arrayValue": {"longValues" if numbers else "stringValues": value}}
    kinds = ((bool, "booleanValue"), (int, "longValue"), (float, "doubleValue"))
    for kind, name in kinds:
        if isinstance(value, kind):
            return {name: value}
    return value if isinstance(value, dict) else {"stringValue": value}


def _lines(found: Explanation) -> list[str]:
    """The explanation as lines of text, the places marked under the statement."""
    lines: list[str] = []
    position = 0
    for line in found.sql.split("\n"):
        lines.append(f"  {line}")
        here = [m for m in found.marks if m.start < position + len(line) and m.end > position]
        if here:
            under = [" "] * len(line)
            for mark in here:
                first, last = max(mark.start - position, 0), min(mark.end - position, len(line))
                under[first:last] = "^" * (last - first)
            whats = ", ".join(dict.fromkeys(mark.what for mark in here))
            lines.append(f"  {''.join(under).rstrip()}  {whats}")
        position += len(line) + 1
    claims, attribution = found.claims, found.attribution
    total = sum(weight for _, weight in attribution.shares)
    whom = ", ".join(
        tenant if len(attribution.shares) == 1 else f"{tenant} ({weight}/{total})"
        for tenant, weight in attribution.shares
    )
    lines += ["", f"attributed to  {whom}", f"source         {attribution.source}"]
    lines.append(f"summary        {claims.summary}")
    lines += [f"{'why' if i == 0 else '':<15}{text}" for i, text in enumerate(found.reasons)]
    lines += [f"warning        {text}" for text in found.warnings]
    return lines
