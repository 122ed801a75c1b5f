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

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tenantmetrics.dataapi.errors import sqlstate
from tenantmetrics.dataapi.fields import sql_parameters
from tenantmetrics.dataapi.transaction import wire
from tenantmetrics.life import in_children
from tenantmetrics.rls import counts
from tenantmetrics.rls.gate import condition, gated, parameters
from tenantmetrics.rls.retry import called, delays, pause_s
from tenantmetrics.rls.rules import Context, Rules, settings
from tenantmetrics.rls.transaction import RlsTransaction
from tenantmetrics.tenant.identity.tenant_context import tenant as tenant_block

__all__ = ["SingleStatement", "execute", "execute_async"]

_OF_THE_FORM = frozenset({"0A000", "42601", "42804", "42883", "42P18"})
"""Not supported, syntax, types that do not fit, no such function, no type: what the new form may
lead to, found before anything runs."""
_OF_A_VALUE = "22P02"
"""A text that its type does not take: of the new form, of a policy while it is planned, or of the
value itself."""
_MAX_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class SingleStatement:
    """One statement of one tenant.

    Attributes:
        sql: Its text.
        parameters: Its parameters.
        context: Whose it is.
        rules: What values may look like.
        target: `resourceArn`, `secretArn`, `database`.
        more: Further arguments of `execute_statement`.
    """

    sql: str
    parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]]
    context: Context
    rules: Rules
    target: Mapping[str, str]
    more: Mapping[str, Any]

    def checked(self) -> _Checked:
        """What is to be sent.

        Raises:
            RlsError: No tenant, or a value that is not allowed.
            TypeError: The API has no Field for a value.
        """
        tenant, variables = settings(self.context, self.rules)
        values = wire(self.parameters)
        form = gated(self.sql)
        # The tenant of this moment, whatever block the rest is run in.
        context = replace(self.context, tenant=tenant)
        if form.refused or _kept.has(self.sql):
            return _Checked(context, values, None)
        sql = f"{form.before}{condition(len(variables))}{form.after}"
        own = sql_parameters(parameters(variables))
        arguments = {**self.target, **self.more, "sql": sql, "parameters": [*values, *own]}
        return _Checked(context, values, arguments)


class _Checked(NamedTuple):
    """A statement whose values are allowed.

    Attributes:
        context: Whose it is, with the tenant.
        values: Its parameters as boto3 takes them.
        arguments: Of the one request; None where it needs a transaction.
    """

    context: Context
    values: list[Mapping[str, Any]]
    arguments: dict[str, Any] | None

    def block(self) -> contextlib.AbstractContextManager[Any]:
        """Calls in it are the tenant's."""
        name = self.context.tenant
        return tenant_block(name) if name else contextlib.nullcontext()


def execute(client: Any, statement: SingleStatement) -> dict[str, Any]:
    """Run a statement; see `tenantmetrics.rls.execute`.

    Args:
        client: A boto3 `rds-data` client.
        statement: What to run.
    """
    checked = statement.checked()
    if checked.arguments is not None:
        try:
            with checked.block():
                counts.add("statements")
                method = client.execute_statement
                found: dict[str, Any] = called(method, statement.rules.attempts, checked.arguments)
                counts.add("single_requests")
                return found
        except Exception as error:
            if not _is_of_the_form(error, statement.sql):
                raise
    counts.add("fallbacks")
    with RlsTransaction(client, checked.context, statement.rules, **statement.target) as tx:
        return tx.execute(statement.sql, checked.values, **statement.more)


async def execute_async(client: Any, statement: SingleStatement) -> dict[str, Any]:
    """The same with a client of aiobotocore.

    Args:
        client: For `rds-data`.
        statement: What to run.
    """
    checked = statement.checked()
    if checked.arguments is not None:
        try:
            with checked.block():
                counts.add("statements")
                found = await _called_async(client, statement.rules.attempts, checked.arguments)
                counts.add("single_requests")
                return found
        except Exception as error:
            if not _is_of_the_form(error, statement.sql):
                raise
    counts.add("fallbacks")
    transaction = RlsTransaction(client, checked.context, statement.rules, **statement.target)
    async with transaction as tx:
        return await tx.execute(statement.sql, checked.values, **statement.more)


async def _called_async(client: Any, attempts: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """As `retry.called`, of `execute_statement`."""
    waits = delays(attempts)
    while True:
        try:
            found: dict[str, Any] = await client.execute_statement(**arguments)
        except Exception as error:  # noqa: BLE001 - `pause_s` raises what is not repeated
            wait_s = pause_s(error, waits)
        else:
            return found
        await asyncio.sleep(wait_s)


def _is_of_the_form(error: Exception, sql: str) -> bool:
    """Whether the new form may be what PostgreSQL did not take; a text that surely is, is kept."""
    state = _sqlstate(error)
    if state in _OF_THE_FORM:
        _kept.keep(sql)
    return state in _OF_THE_FORM or state == _OF_A_VALUE


def _sqlstate(error: Exception) -> str:
    """The SQLSTATE of what the client raised; empty where it is not PostgreSQL's."""
    response = getattr(error, "response", None)
    answer = response.get("Error", {}) if isinstance(response, dict) else {}
    return sqlstate(answer.get("Message", "")) or ""


class _Kept:
    """Texts that PostgreSQL did not take in the new form, the latest `_MAX_KEPT`; their hashes.

    A text that has another's hash takes a transaction, which is never wrong.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[int, None] = OrderedDict()

    def has(self, sql: str) -> bool:
        """Whether a text is one of them."""
        return hash(sql) in self._texts

    def keep(self, sql: str) -> None:
        """Remember a text."""
        with self._lock:
            self._texts[hash(sql)] = None
            while len(self._texts) > _MAX_KEPT:
                self._texts.popitem(last=False)

    def renew(self) -> None:
        """Replace the lock, which another thread may have held at a fork."""
        self._lock = threading.Lock()


_kept = _Kept()
in_children(_kept.renew)
