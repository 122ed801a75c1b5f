"""One statement of one tenant in one request, where it can be proved that it is the same.

    tenantmetrics.rls.execute(client, "SELECT * FROM bookings", tenant="acme", **target)

A transaction is four requests for one statement: begin, set, execute, commit. Here the statement
sets the variables itself (`gate`), and PostgreSQL commits it by itself.

Contract: it rests on PostgreSQL's planner, which evaluates a condition without columns before it
starts what is below it; the tests hold it on PostgreSQL 15 and 18, no manual promises it. So it is
used only where it is asked for. It fails closed: a statement that is not understood, or that
PostgreSQL does not take in the new form, runs in a transaction and is counted (`fallbacks`).
Policies must compare a column with `(SELECT current_setting(..., true))`: without the SELECT,
PostgreSQL may choose a table's partitions before the tenant is set, and then shows no row.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from tenantmetrics.dataapi.errors import sqlstate
from tenantmetrics.dataapi.fields import sql_parameters
from tenantmetrics.dataapi.transaction import wire
from tenantmetrics.life import in_children
from tenantmetrics.rls import counts
from tenantmetrics.rls.gate import condition, gated, parameters
from tenantmetrics.rls.retry import called
from tenantmetrics.rls.rules import Context, Rules, settings
from tenantmetrics.rls.transaction import RlsTransaction
from tenantmetrics.tenant.identity.context import tenant as tenant_block

__all__ = ["execute"]

_OF_THE_FORM = frozenset({"0A000", "42601", "42804", "42883", "42P18"})
"""Not supported, syntax, types that do not fit, no such function, no type: what the new form may
lead to, found before anything runs."""
_OF_A_VALUE = "22P02"
"""A text that its type does not take: of the new form, of a policy while it is planned, or of the
value itself."""
_MAX_KEPT = 1_000


def execute(
    client: Any,
    sql: str,
    given: Mapping[str, Any] | Iterable[Mapping[str, Any]] = (),
    *,
    context: Context,
    rules: Rules,
    target: Mapping[str, str],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Run a statement; see `tenantmetrics.rls.execute`.

    Args:
        client: A boto3 `rds-data` client.
        sql: One statement.
        given: Its parameters.
        context: Whose it is.
        rules: What values may look like.
        target: `resourceArn`, `secretArn`, `database`.
        more: Further arguments of `execute_statement`.
    """
    tenant, variables = settings(context, rules)
    values = wire(given)
    form = gated(sql)
    if not form.refused and not _kept.has(sql):
        arguments = {
            **target,
            **more,
            "sql": f"{form.before}{condition(len(variables))}{form.after}",
            "parameters": [*values, *sql_parameters(parameters(variables))],
        }
        block = tenant_block(tenant) if tenant else contextlib.nullcontext()
        try:
            with block:
                counts.add("statements")
                found: dict[str, Any] = called(client.execute_statement, rules.attempts, arguments)
                counts.add("single_requests")
                return found
        except Exception as error:
            state = _sqlstate(error)
            if state in _OF_THE_FORM:
                _kept.keep(sql)
            elif state != _OF_A_VALUE:
                raise
    counts.add("fallbacks")
    with RlsTransaction(client, context, rules, **target) as tx:
        return tx.execute(sql, values, **more)


def _sqlstate(error: Exception) -> str:
    """The SQLSTATE of what the client raised; empty where it is not PostgreSQL's."""
    response = getattr(error, "response", None)
    answer = response.get("Error", {}) if isinstance(response, dict) else {}
    return sqlstate(answer.get("Message", "")) or ""


class _Kept:
    """Texts that PostgreSQL did not take in the new form, the latest `_MAX_KEPT`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, None] = OrderedDict()

    def has(self, sql: str) -> bool:
        """Whether a text is one of them."""
        return sql in self._texts

    def keep(self, sql: str) -> None:
        """Remember a text."""
        with self._lock:
            self._texts[sql] = None
            while len(self._texts) > _MAX_KEPT:
                self._texts.popitem(last=False)

    def renew(self) -> None:
        """Replace the lock, which another thread may have held at a fork."""
        self._lock = threading.Lock()


_kept = _Kept()
in_children(_kept.renew)
