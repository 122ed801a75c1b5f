"""`report`'s options of invoices: in which form, by which rules, after which earlier files."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.errors import ReportError, why_unreadable

if TYPE_CHECKING:
    from tenantmetrics.cost.invoicing import Rules
    from tenantmetrics.cost.statement import Statement

__all__ = [
    "Corrects",
    "DraftToo",
    "Exports",
    "InvoicePlan",
    "InvoiceTime",
    "RulesFile",
    "invoice_plan",
]

_PANEL = "Invoices"

Exports = Annotated[
    list[str] | None,
    typer.Option(
        "--invoice-export",
        metavar="FORMAT=FILE",
        rich_help_panel=_PANEL,
        help="Amounts by tenant for a billing provider: stripe-meter-events, stripe-invoice-items, "
        "chargebee-usage, lago-events, openmeter-events. May be repeated.",
    ),
]
RulesFile = Annotated[
    Path | None,
    typer.Option(
        "--invoice-rules",
        rich_help_panel=_PANEL,
        help="TOML of markup, minimum and rounding; statements show what it makes. [default: cost]",
    ),
]
Corrects = Annotated[
    list[str] | None,
    typer.Option(
        "--invoice-corrects",
        metavar="FORMAT=FILE",
        rich_help_panel=_PANEL,
        help="A file of the month that was sent before: only differences are exported. Give all.",
    ),
]
DraftToo = Annotated[
    bool,
    typer.Option(
        "--invoice-draft", rich_help_panel=_PANEL, help="Export a month that is a DRAFT, too."
    ),
]
InvoiceTime = Annotated[
    str | None,
    typer.Option(
        "--invoice-time",
        rich_help_panel=_PANEL,
        help="When events count, such as 2026-12-01T06:00Z. [default: the month's last second]",
    ),
]


@dataclass(frozen=True)
class InvoicePlan:
    """What is to be exported.

    Attributes:
        rules: Markup and rounding; None where cost is charged as it is.
        files: Format by file.
        corrects: Files that were sent before, by format; None where none were given.
        draft_too: Whether a DRAFT is exported.
        moment_s: When events count; None for the month's last second.
    """

    rules: Rules | None
    files: Mapping[Path, str] = field(default_factory=dict)
    corrects: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    draft_too: bool = False
    moment_s: int | None = None

    @property
    def earlier(self) -> list[Path]:
        """All files that were sent before."""
        return [path for paths in self.corrects.values() for path in paths]

    def quantum(self, currency: str) -> Decimal | None:
        """The smallest amount that all of the formats take; None without any."""
        from tenantmetrics.report.invoices.export import FORMS, InvoiceFormat

        return max(
            (FORMS[InvoiceFormat(kind)].unit(currency).quantum for kind in self.files.values()),
            default=None,
        )

    def made(
        self, statement: Statement, tenants: Path | None
    ) -> tuple[dict[Path, Callable[[], str]], list[str]]:
        """The files, and what whoever sends them must know.

        Args:
            statement: The month.
            tenants: The tenants' file.

        Raises:
            ReportError: The month is a DRAFT; a tenant has no id; rules or earlier files are wrong.
        """
        from tenantmetrics.cost.inputs import read_tenants
        from tenantmetrics.cost.invoicing import Rules, invoices
        from tenantmetrics.cost.invoicing.price import untouched, unused
        from tenantmetrics.report.invoices.export import (
            FORMS,
            InvoiceFormat,
            export,
            read_earlier,
        )

        if not self.files:
            return {}, []
        month, currency = statement.period.label, statement.currency
        if statement.draft and not self.draft_too:
            raise ReportError(
                f"{month} is a DRAFT ({statement.draft[0]}) and not exported: --invoice-draft "
                "exports it all the same"
            )
        rules = self.rules or Rules()
        facts = read_tenants(tenants) if tenants is not None else {}
        charged = invoices(statement, rules, quantum=self.quantum(currency))
        files: dict[Path, Callable[[], str]] = {}
        notes = []
        for path, kind in self.files.items():
            form = InvoiceFormat(kind)
            earlier = None
            if kind in self.corrects:
                earlier = [
                    record
                    for file in self.corrects[kind]
                    for record in read_earlier(form, str(file), _text(file), month)
                ]
            made = export(
                form, statement, charged, rules, facts, earlier=earlier, moment_s=self.moment_s
            )
            files[path] = partial(str, made.text)
            count = len(made.records)
            notes.append(
                f"{path}: {count:,} amount{'s' * (count != 1)}, {made.total:f} {currency}"
                + (" of differences" if earlier is not None else "")
            )
            notes += [f"{path}: {note}" for note in made.notes]
            of = FORMS[form]
            moment_s = statement.period.end_s if self.moment_s is None else self.moment_s
            if of.oldest_hours is not None and clock.time() - moment_s > of.oldest_hours * 3600:
                notes.append(
                    f"{path}: the provider takes events of the last {of.oldest}, and these are "
                    "older: --invoice-time says when they count"
                )
            if of.file_name is not None and not of.takes(path.name):
                notes.append(f"{path}: the provider takes files called by {of.file_name[1]}")
        notes += unused(statement, rules)
        rest = list(untouched(statement))
        if rest:
            total = sum((amount for _, amount in rest), Decimal(0))
            names = ", ".join(name for name, _ in rest)
            notes.append(f"charged to nobody: {total:f} {currency} ({names})")
        if statement.estimate:
            notes.append("the amounts are estimates at list prices, not of a bill")
        return files, notes


def invoice_plan(
    exports: Sequence[str] | None,
    rules: Path | None,
    corrects: Sequence[str] | None,
    *,
    draft_too: bool,
    time: str | None,
    shown: bool,
) -> InvoicePlan:
    """Read the options, and the rules.

    Args:
        exports: FORMAT=FILE of what is written.
        rules: The file of rules.
        corrects: FORMAT=FILE of what was sent before.
        draft_too: Whether a DRAFT is exported.
        time: When events count.
        shown: Whether tenants' statements are written, which show what the rules make.

    Raises:
        ReportError: One of them is wrong.
    """
    files: dict[Path, str] = {}
    for option in exports or ():
        kind, path = _pair("--invoice-export", option)
        if path in files:
            raise ReportError(f"--invoice-export {option!r}: {str(path)!r} is given twice")
        files[path] = kind
    before: dict[str, list[Path]] = {}
    for option in corrects or ():
        kind, path = _pair("--invoice-corrects", option)
        if kind not in files.values():
            raise ReportError(f"--invoice-corrects {option!r}: {kind} is not exported")
        before.setdefault(kind, []).append(path)
    read = None
    if rules is not None:
        from tenantmetrics.cost.invoicing import read_rules

        read = read_rules(rules)
        if not files and not shown:
            raise ReportError(
                f"--invoice-rules {str(rules)!r}: the report shows cost; add --invoice-export, "
                "--statements or --statement-for"
            )
    return InvoicePlan(read, files, before, draft_too, None if time is None else _moment(time))


def _pair(flag: str, option: str) -> tuple[str, Path]:
    from tenantmetrics.cost.invoicing.rules import suggestion
    from tenantmetrics.report.invoices.export import InvoiceFormat

    kind, sign, path = option.partition("=")
    known: type[StrEnum] = InvoiceFormat
    if kind not in list(known):
        raise ReportError(
            f"{flag} {option!r}: write FORMAT=FILE; formats are {', '.join(known)}"
            f"{suggestion(kind, known)}"
        )
    if not sign or not path:
        raise ReportError(f"{flag} {option!r}: write {kind}=FILE")
    return kind, Path(path)


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ReportError(f"--invoice-time {text!r} is no time such as 2026-12-01T06:00Z") from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _text(path: Path) -> str:
    try:
        # As it is: csv reads line ends itself.
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{str(path)!r} cannot be read: {why_unreadable(error)}") from None
