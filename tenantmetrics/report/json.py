"""JSON, with a published schema: `tenantmetrics/report/schema/statement.v1.schema.json`.

Money is text ("12.34"), because a JSON number is a double in most readers.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from decimal import Decimal
from typing import Any

from tenantmetrics.cost.server_time.model import VERSIONS, ServerTime
from tenantmetrics.cost.statement import Statement, Usage
from tenantmetrics.report import outlook, rate
from tenantmetrics.report.compare import Comparison
from tenantmetrics.report.documents import moment, published_schema
from tenantmetrics.report.model import Row, build
from tenantmetrics.report.text import write_files
from tenantmetrics.report.work import Work

__all__ = ["VERSION", "as_json", "schema", "write"]

VERSION = 1
"""Raised when a reader of the old documents would go wrong on the new."""


_USAGE = tuple(field.name for field in fields(Usage))


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `as_json` makes."""
    return published_schema(f"statement.v{VERSION}")


def as_json(statement: Statement) -> str:
    """The statement as a JSON document.

    Raises:
        UnbalancedError: The statement's lines do not add up.
    """
    report = build(statement)
    document = {
        "version": VERSION,
        "period": {
            "label": statement.period.label,
            "start": moment(statement.period.start_s),
            "end": moment(statement.period.end_s),
            "timezone": statement.period.timezone,
        },
        "currency": statement.currency,
        "total": f"{statement.total:f}",
        "exchange_rate": rate.as_document(statement.rate),
        "status": list(report.status) or ["FINAL"],
        "draft_reasons": list(statement.draft),
        "basis": statement.basis,
        "pools": [
            {
                "name": pool.name,
                "title": pool.title,
                "amount": f"{pool.amount:f}",
                "driver": pool.driver,
                "detail": pool.detail,
            }
            for pool in statement.pools
        ],
        "group_names": list(statement.group_names),
        "lines": [],
        "unit_costs": {
            "per_thousand_calls": _rate(report.per_thousand_calls()),
            "per_gigabyte": _rate(report.per_gigabyte()),
        },
        "outlook": outlook.as_document(statement.outlook),
        "comparison": None if report.comparison is None else _comparison(report.comparison),
        "server_time": None if statement.server_time is None else _server(statement.server_time),
        "method": list(report.method()),
        "notes": list(statement.notes),
    }
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    # A line of the statement a line of text: json's own indenting is not in C, and takes thrice
    # the time. No string can hold the mark, because JSON escapes line ends.
    encode = json.JSONEncoder(ensure_ascii=False).encode
    lines = ",\n  ".join(encode(_line(statement, row)) for row in report.rows)
    return text.replace('\n "lines": []', f'\n "lines": [\n  {lines}\n ]', 1)


def _line(statement: Statement, row: Row) -> dict[str, Any]:
    usage = row.usage
    return {
        "tenant": row.tenant,
        "kind": str(row.kind),
        "total": f"{row.total:f}",
        "amounts": {
            pool.name: f"{amount:f}"
            for pool, amount in zip(statement.pools, row.amounts, strict=True)
        },
        "usage": {name: getattr(usage, name) for name in _USAGE},
        "groups": dict(zip(statement.group_names, row.groups, strict=False)),
        "revenue": None if row.revenue is None else f"{row.revenue:f}",
        "margin": None if row.margin is None else f"{row.margin:f}",
        "server_time": None if row.work is None else _work(row.work),
    }


def _work(work: Work) -> dict[str, Any]:
    return {
        "server_ns": work.server_ns,
        "share": _part(work.share),
        "share_low": _part(work.low),
        "share_high": _part(work.high),
    }


def _part(share: Decimal | None) -> float | None:
    return None if share is None else round(float(share), 9)


def _server(server: ServerTime) -> dict[str, Any]:
    """How server time was found."""
    return {
        "asked": str(server.asked),
        "metered_hours": server.metered_hours,
        "unmetered_ns": server.unmetered_ns,
        "methods": [
            {
                "method": str(method.method),
                "version": VERSIONS[method.method],
                "hours": method.hours,
                "calls": method.calls,
                "wall_ns": method.wall_ns,
                "server_ns": method.metered_ns,
                "load_ns": method.load_ns,
                "explained": None if method.explained is None else round(method.explained, 9),
            }
            for method in server.methods
        ],
    }


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `as_json`'s document to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written.
    """
    write_files({path: as_json(statement)})


def _comparison(one: Comparison) -> dict[str, Any]:
    """What changed, by pool and for whom; None where no quantity tells price from volume."""
    return {
        "label": one.label,
        "before": f"{one.before:f}",
        "change": f"{one.change:f}",
        "pools": [
            {
                "title": pool.title,
                "before": f"{pool.before:f}",
                "change": f"{pool.change:f}",
                "by_volume": None if pool.by_volume is None else f"{pool.by_volume:f}",
                "by_price": None if pool.by_price is None else f"{pool.by_price:f}",
            }
            for pool in one.pools
        ],
        "anomalies": [
            {
                "tenant": anomaly.tenant,
                "before": f"{anomaly.before:f}",
                "after": f"{anomaly.after:f}",
                "pool": anomaly.pool,
                "driver": anomaly.driver,
            }
            for anomaly in one.anomalies
        ],
    }


def _rate(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.9f}"
