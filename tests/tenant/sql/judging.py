"""Runs random statements on several databases, and compares what they do.

Where the resolver names tenants, a query has to give the same rows on a database that holds these
tenants' rows alone, and on one where the others' rows are different. A change has to leave the
others' rows as they were, and has to do the same to the named tenants' rows.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator

import psycopg

from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.localapi.postgres import embedded
from tests.tenant.sql.databases import Databases
from tests.tenant.sql.named import named_by_statement

__all__ = ["TABLES", "TENANTS", "Judge", "judge_of", "judged"]

TABLES = ("a", "b", "c", "d")
TENANTS = ("acme", "bee", "cat")

HELD = " UNION ALL ".join(f"SELECT '{table}', r.* FROM {table} r" for table in TABLES)
CHANGE = re.compile(r"UPDATE t?\w+ AS|DELETE FROM|INSERT INTO|MERGE INTO")
WRITES_A_VALUE = re.compile(
    r"INSERT INTO .* '\w+' AS tenant_id, .* FROM \w+ \w+( WHERE .*)?$"
    r"|THEN INSERT .* VALUES \(\w+\.id, 'acme'"
)


Row = tuple[object, ...]


@contextlib.contextmanager
def judge_of(
    rows: Callable[[str, str], Iterator[Row]],
    other: Callable[[str, Row], Row],
    everybodys: Callable[[str], Iterator[Row]] = lambda _: iter(()),
) -> Iterator[Judge]:
    """Databases for each choice of tenants, and who compares them.

    Args:
        rows: The rows of a table that are a tenant's.
        other: The same row of a tenant with other values.
        everybodys: The rows of a table that are in all databases.
    """
    with embedded() as url, psycopg.connect(url, autocommit=True) as admin:
        subsets = [()] + [s for n in (1, 2, 3) for s in itertools.combinations(TENANTS, n)]
        for held, how in itertools.product(subsets, ("only", "other")):
            schema = _schema(how, held)
            admin.execute(f"CREATE SCHEMA {schema}")
            for table in TABLES:
                admin.execute(
                    f"CREATE TABLE {schema}.{table} "
                    "(id int, tenant_id text, aid int, bid int, status text)"
                )
                found = [*everybodys(table)]
                found += [row for tenant in held for row in rows(table, tenant)]
                if how == "other":
                    gone = [tenant for tenant in TENANTS if tenant not in held]
                    found += 2 * [
                        other(table, row) for tenant in gone for row in rows(table, tenant)
                    ]
                for row in found:
                    admin.execute(f"INSERT INTO {schema}.{table} VALUES (%s, %s, %s, %s, %s)", row)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET statement_timeout = '2s'")
            connection.execute("SET jit = off")
            yield Judge(connection)


def _schema(how, tenants):
    return "_".join(("rows", how, *tenants))


class Judge:
    """Runs a statement on several databases."""

    def __init__(self, connection):
        self._databases = Databases(connection, CHANGE, HELD)

    def interferes(self, sql, named):
        """What tenants that were not named have to do with it; None where it does not run."""
        if len(CHANGE.findall(sql)) > 1:
            # Two changes of one row in one statement: PostgreSQL does not say which is done.
            return None
        held = [tenant for tenant in TENANTS if tenant in named]
        try:
            whole = self._databases.run(_schema("only", TENANTS), sql)
            alone = self._databases.run(_schema("only", held), sql)
            among_others = self._databases.run(_schema("other", held), sql)
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            return None
        # A row without a tenant is nobody's.
        touched = {row[2] for change in whole[1:] for row in change} - {None}
        if touched - set(named):
            return "it changes rows of tenants that were not named"
        if WRITES_A_VALUE.search(sql):
            # What it reads may be defaults for all: what it writes is what it is for.
            return ""
        if whole != alone:
            return "without the others' rows it does something else"
        return (
            "" if whole == among_others else "with other rows of the others it does another thing"
        )


def judged(judge, resolver, statements, count):
    """Statements with a wrong tenant; how many named somebody, and how many ran."""
    wrong, named_ones, ran = [], 0, 0
    for number in range(count):
        sql = statements.one()
        claims = resolver.claims(request_of("ExecuteStatement", {"sql": sql}))
        named = named_by_statement(claims)
        if not named:
            continue
        named_ones += 1
        how = judge.interferes(sql, named)
        ran += how is not None
        if how:
            wrong.append(
                f"seed {statements.seed}, number {number}, {sorted(named)}: {how}:\n  {sql}"
            )
    return wrong, named_ones, ran
