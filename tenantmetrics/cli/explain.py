"""`tenantmetrics explain`: whose call would this statement be, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tenantmetrics.errors import TenantMetricsError, why_unreadable

if TYPE_CHECKING:
    from tenantmetrics.tenant.explanation import Explanation, Mark

__all__ = ["explain"]

_INDENT = 15
"""Columns of the titles before what is found."""


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
    """Print which tenant a statement names, and where.

    Also whom a call with it would be attributed to, and why.
    """
    from contextlib import nullcontext

    from tenantmetrics import config
    from tenantmetrics.tenant.explanation import explain as explained
    from tenantmetrics.tenant.identity.tenant_context import tenant

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
        # Zero columns, where the output is no terminal: nothing is folded.
        print("\n".join(_lines(found, get_terminal_size((0, 0)).columns)))


def _text(sql: str | None, file: Path | None) -> str:
    if file is not None:
        if sql is not None:
            raise TenantMetricsError("give the statement or --file, not both")
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TenantMetricsError(f"cannot read {file}: {why_unreadable(error)}") from None
    elif sql is None or sql == "-":
        try:
            text = sys.stdin.read()
        except UnicodeDecodeError:
            raise TenantMetricsError("standard input is not UTF-8 text") from None
    else:
        text = sql
    # Bytes that are no UTF-8 come from the command line as lone surrogates.
    text = text.encode(errors="replace").decode()
    if not text.strip():
        raise TenantMetricsError("there is no statement: give it as an argument, --file or stdin")
    return text.rstrip("\n")


def _parameter(text: str) -> dict[str, Any]:
    name, equals, value = text.removeprefix(":").partition("=")
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


def _lines(found: Explanation, width: int) -> list[str]:
    """The explanation as lines of text, the places marked under the statement."""
    lines: list[str] = []
    position = 0
    for line in found.sql.split("\n"):
        for start, end in _folded(line, width - 2):
            first, last = position + start, position + end
            here = [m for m in found.marks if m.start < last and m.end > first]
            lines += [f"  {text}".rstrip() for text in _marked(line[start:end], first, here, width)]
        position += len(line) + 1
    claims, attribution = found.claims, found.attribution
    total = sum(weight for _, weight in attribution.shares)
    whom = ", ".join(
        tenant if len(attribution.shares) == 1 else f"{tenant} ({weight}/{total})"
        for tenant, weight in attribution.shares
    )
    rows = [
        ("attributed to", [whom]),
        ("source", [str(attribution.source)]),
        ("summary", [claims.summary]),
        ("why", found.reasons),
        ("warning", found.warnings),
    ]
    lines.append("")
    for title, texts in rows:
        for index, text in enumerate(texts):
            head = title if index == 0 or title == "warning" else ""
            pieces = wrap(text, max(width - _INDENT, _INDENT)) if width else [text]
            for piece in pieces or [""]:
                lines.append(f"{head:<{_INDENT}}{piece}".rstrip())
                head = ""
    return lines


def _cells(text: str) -> int:
    """Columns of a terminal that a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def _folded(line: str, width: int) -> Iterator[tuple[int, int]]:
    """The parts of a line that fit the terminal; the whole line where there is none."""
    start = used = 0
    for index, character in enumerate(line):
        cells = _cells(character)
        if width > 0 and index > start and used + cells > width:
            yield start, index
            start, used = index, 0
        used += cells
    yield start, len(line)


def _marked(text: str, at: int, marks: Sequence[Mark], width: int) -> Iterator[str]:
    """A part of the statement, carets under its marks, and what they are."""
    yield text
    if not marks:
        return
    under = ""
    for index, character in enumerate(text, at):
        inside = any(mark.start <= index < mark.end for mark in marks)
        blank = character if character == "\t" else " " * _cells(character)
        under += "^" * _cells(character) if inside else blank
    whats = ", ".join(dict.fromkeys(mark.what for mark in marks))
    if 0 < width < _cells(under.rstrip()) + len(whats) + 4:
        yield under.rstrip()
        yield whats
    else:
        yield f"{under.rstrip()}  {whats}"
