"""`report`'s options of statements that one tenant may see."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantmetrics.errors import LedgerError, ReportError

if TYPE_CHECKING:
    from tenantmetrics.cli.report_invoices import InvoicePlan
    from tenantmetrics.cost.statement import Statement
    from tenantmetrics.report.tenant_statement import Statements

__all__ = [
    "Formats",
    "Months",
    "StatementFor",
    "StatementFormat",
    "StatementPlan",
    "StatementsDir",
    "TopStatements",
    "statement_plan",
]

_EMPTY = re.compile(r"(the )?ledger .* holds nothing for ")

_PANEL = "Statements for tenants"


class StatementFormat(StrEnum):
    """What a tenant's statement is written as."""

    HTML = "html"
    JSON = "json"


StatementFor = Annotated[
    list[str] | None,
    typer.Option(
        "--statement-for",
        metavar="TENANT",
        rich_help_panel=_PANEL,
        help="A page for this tenant alone, to --output or --statements; may be repeated.",
    ),
]
StatementsDir = Annotated[
    Path | None,
    typer.Option(
        "--statements",
        metavar="DIR",
        rich_help_panel=_PANEL,
        help="A folder for a page of each tenant, or of those of --statement-for.",
    ),
]
Formats = Annotated[
    list[StatementFormat] | None,
    typer.Option(
        "--statement-format",
        rich_help_panel=_PANEL,
        help="What --statements writes; may be repeated. [default: html]",
    ),
]
Months = Annotated[
    int,
    typer.Option(
        "--statement-months",
        min=1,
        max=13,
        rich_help_panel=_PANEL,
        help="Months of the trend; each is summed up from the ledger.",
    ),
]
TopStatements = Annotated[
    int,
    typer.Option(
        "--statement-top",
        min=0,
        rich_help_panel=_PANEL,
        help="SQL statements that a page lists; 0 scans no table of them.",
    ),
]


@dataclass(frozen=True)
class StatementPlan:
    """Which statements are wanted, and where.

    Attributes:
        tenants: Whose; everybody's if empty and there is a folder, nobody's if there is none.
        folder: Where; None for one file.
        file: The one file; None for standard output, if there is no folder.
        formats: What is written.
        months: Of the trend.
        top: SQL statements of each.
    """

    tenants: Sequence[str]
    folder: Path | None
    file: Path | None
    formats: Sequence[StatementFormat]
    months: int
    top: int

    @property
    def is_one(self) -> bool:
        """Whether one statement is wanted, and no folder of them."""
        return self.folder is None and bool(self.tenants)

    def earlier(
        self, statement: Statement, month_of: Callable[[str], Statement]
    ) -> tuple[list[Statement], list[str]]:
        """The earlier months that there are, and why others could not be had.

        Args:
            statement: This month.
            month_of: Makes the statement of a month.
        """
        found, reasons = [], dict[str, list[str]]()
        known = {} if (last := statement.previous) is None else {last.period.label: last}
        for label in _labels_before(statement.period.label, self.months - 1):
            try:
                month = known.get(label) or month_of(label)
            except (LedgerError, ReportError) as error:
                # An empty month is no news: most ledgers are younger than a year.
                if not _EMPTY.match(str(error)):
                    reason = str(error).replace(label, "the month").partition(";")[0]
                    reasons.setdefault(reason, []).append(label)
                continue
            if month.currency == statement.currency:
                found.append(month)
            else:
                reasons.setdefault(f"it is in {month.currency}", []).append(label)
        return found, [
            f"the trend lacks {', '.join(labels)}: {reason}" for reason, labels in reasons.items()
        ]

    def made(
        self,
        statement: Statement,
        month_of: Callable[[str], Statement],
        invoice: InvoicePlan,
        *,
        storage: Path | None,
        tenants: Path | None,
        one_month: bool,
    ) -> tuple[Statements | None, list[str]]:
        """The statements, None if none are wanted; and what is missing in them.

        Args:
            statement: This month.
            month_of: Makes the statement of a month.
            invoice: Rules, and what they are rounded to.
            storage: The file of measured bytes.
            tenants: The file of tenants, whose names no statement's summary may show to others.
            one_month: What is known of the capacity is of this month only: then earlier months have
                calls, and no money.

        Raises:
            ReportError: There is no such tenant, or a file is wrong.
        """
        from tenantmetrics.cost.inputs import read_storage, read_tenants
        from tenantmetrics.report.tenant_statement import Statements

        if self.folder is None and not self.tenants:
            return None, []
        stored = read_storage(storage) if storage is not None else None
        quantum = invoice.quantum(statement.currency)
        # Before years of ledgers are read: the tenants, and the rules.
        Statements(statement, rules=invoice.rules, quantum=quantum).check(self.tenants)
        earlier, reasons = self.earlier(statement, month_of)
        made = Statements(
            statement,
            earlier=earlier,
            without_money=[month.period.label for month in earlier] if one_month else (),
            stored=stored,
            rules=invoice.rules,
            quantum=quantum,
            others=read_tenants(tenants) if tenants is not None else (),
        )
        return made, reasons

    def files(self, statements: Statements | None) -> dict[Path, Callable[[], str]]:
        """What is written, by file; each is made when it is written: thousands need not fit."""
        from tenantmetrics.report.tenant_statement.filenames import file_stem

        if statements is None:
            return {}
        if self.folder is None:
            return {} if self.file is None else {self.file: partial(self.text, statements)}
        return {
            self.folder / f"{file_stem(tenant, statements.month)}.{kind}": partial(
                _text, statements, tenant, kind
            )
            for tenant in self.tenants or statements.tenants
            for kind in self.formats
        }

    def text(self, statements: Statements) -> str:
        """The one statement that goes to standard output."""
        (tenant,) = self.tenants
        return _text(statements, tenant, self.formats[0])


def _text(statements: Statements, tenant: str, kind: StatementFormat) -> str:
    from tenantmetrics.report.tenant_statement import html, json

    one = statements.of(tenant)
    return json.as_json(one) if kind is StatementFormat.JSON else html.as_html(one)


def statement_plan(
    tenants: Sequence[str] | None,
    folder: Path | None,
    formats: Sequence[StatementFormat] | None,
    *,
    output: Sequence[Path],
    stdout_format: str | None,
    months: int,
    top: int,
) -> StatementPlan:
    """Read the options.

    Without a folder the files of `output` are the tenant's statement: whoever names a tenant and a
    file must not find everybody's figures in it.

    Args:
        tenants: Whose.
        folder: Where.
        formats: What a folder gets.
        output: Files of the report.
        stdout_format: Format of the report, where no suffix says it.
        months: Of the trend.
        top: SQL statements of each.

    Raises:
        ReportError: The options do not go together.
    """
    wanted = tuple(dict.fromkeys(tenants or ()))
    if folder is not None:
        chosen = tuple(dict.fromkeys(formats or (StatementFormat.HTML,)))
        if folder.exists() and not folder.is_dir():
            raise ReportError(f"--statements {str(folder)!r}: it is a file; name a folder")
        return StatementPlan(wanted, folder, None, chosen, months, top)
    if not wanted:
        if formats:
            raise ReportError("--statement-format needs --statements DIR")
        return StatementPlan((), None, None, (), months, 0)
    if len(wanted) > 1 or len(output) > 1:
        raise ReportError("several statements need a folder: add --statements DIR")
    if formats and len(formats) > 1:
        raise ReportError("several formats need a folder: add --statements DIR")
    suffix = output[0].suffix.lower().removeprefix(".") if output else None
    named = formats[0] if formats else stdout_format or suffix or StatementFormat.HTML
    if named not in list(StatementFormat):
        raise ReportError(
            f"--statement-for {wanted[0]!r}: a tenant's statement is html or json, not {named}"
        )
    return StatementPlan(
        wanted, None, output[0] if output else None, (StatementFormat(named),), months, top
    )


def _labels_before(label: str, count: int) -> list[str]:
    """The months before one, the first first."""
    year, month = map(int, label.split("-"))
    number = year * 12 + month - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(number - count, number)]
