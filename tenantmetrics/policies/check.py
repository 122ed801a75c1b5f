"""The check: every rule over one snapshot of the catalogue, in a READ ONLY transaction."""

from __future__ import annotations

from dataclasses import dataclass

from tenantmetrics.policies.finding import Finding
from tenantmetrics.policies.read import read
from tenantmetrics.policies.rules import RULES
from tenantmetrics.policies.scope import Scope, Settings
from tenantmetrics.policies.source import Connection

__all__ = ["CheckReport", "check", "examine"]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the check says.

    Attributes:
        findings: The worst first, then by object.
        tables: The tables that were looked at, by their names in SQL.
        roles: The roles that were taken for the application's.
    """

    findings: list[Finding]
    tables: list[str]
    roles: list[str]


def check(connection: Connection, settings: Settings) -> CheckReport:
    """Look at a database's row-level security; nothing is written.

    Args:
        connection: Not in a transaction.
        settings: The tenant column, the variable, and what to look at.

    Raises:
        RlsError: The database cannot be read, or nothing in it is a tenant's.
    """
    with connection.transaction(read_only=True):
        catalogue = read(connection)
    return examine(Scope(catalogue, settings))


def examine(scope: Scope) -> CheckReport:
    """Every rule over a catalogue that was read."""
    findings = [
        Finding(rule, fault.severity or rule.severity, fault.object, fault.why, fault.mend)
        for rule in RULES
        for fault in rule.find(scope)
    ]
    unique = {(found.rule.id, found.object, found.why): found for found in findings}
    ordered = sorted(
        unique.values(), key=lambda found: (found.severity.rank, found.rule.id, found.object)
    )
    return CheckReport(
        findings=ordered,
        tables=[table.sql for table in scope.tables],
        roles=[role.name for role in scope.roles],
    )
