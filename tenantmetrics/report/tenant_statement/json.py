"""JSON, with a published schema: `schema/tenant-statement.v1.schema.json`.

Money is text ("12.34"), because a JSON number is a double in most readers.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from tenantmetrics.report.documents import moment, published_schema
from tenantmetrics.report.tenant_statement.model import TenantStatement

__all__ = ["VERSION", "as_json", "schema"]

VERSION = 1
"""Raised when a reader of the old documents would go wrong on the new."""


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `as_json` makes."""
    return published_schema(f"tenant-statement.v{VERSION}")


def as_json(one: TenantStatement) -> str:
    """The statement as a JSON document."""
    document = {
        "version": VERSION,
        "tenant": one.tenant,
        "period": {
            "label": one.period.label,
            "start": moment(one.period.start_s),
            "end": moment(one.period.end_s),
            "timezone": one.period.timezone,
        },
        "currency": one.currency,
        "amounts_are": "charge" if one.is_charge else "cost",
        "total": f"{one.total:f}",
        "status": list(one.status) or ["FINAL"],
        "caveats": list(one.caveats),
        "parts": [
            {"name": part.name, "title": part.title, "amount": f"{part.amount:f}"}
            for part in one.parts
        ],
        "usage": asdict(one.usage),
        "server_ns": one.server_ns,
        "load": None if one.load is None else round(one.load, 9),
        "stored_bytes": one.stored_bytes,
        "months": [
            {
                "label": month.label,
                "total": None if month.total is None else f"{month.total:f}",
                "calls": month.calls,
                "draft": month.draft,
            }
            for month in one.months
        ],
        "top_statements": None
        if one.top_statements is None
        else [asdict(statement) for statement in one.top_statements],
        "method": list(one.method),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
