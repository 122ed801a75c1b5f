"""PostgreSQL judges statements over a shop: some hundred that are written, thousands at random."""

from __future__ import annotations

import contextlib
import random

import pytest

from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.records import UNATTRIBUTED
from tests.tenant.conftest import field
from tests.tenant.sql.mutations import mutated
from tests.tenant.sql.named import named_by_statement
from tests.tenant.sql.shop import TENANTS, open_shop, with_values
from tests.tenant.sql.shop_statements import FOLDER, ShopStatements

IN_LONG_TEST = 5_000
"""20 seconds of one core."""
NAMED_AT_LEAST = 0.15


@pytest.fixture(scope="module")
def shop():
    with open_shop() as found:
        yield found


def _request(sql, values):
    parameters = [{"name": name, "value": field(value)} for name, value in values.items()]
    return request_of("ExecuteStatement", {"sql": sql, "parameters": parameters})


def _named(resolver, sql, values):
    claims = resolver.claims(_request(sql, values))
    # Where some rows' tenant is not known, they are nobody's, and it says so.
    partly = any(tenant == UNATTRIBUTED for claim in claims.named for tenant, _ in claim.shares)
    return set() if partly else named_by_statement(claims)


@pytest.mark.long
def test_written_statements_name_nobody_wrongly(shop, resolver):
    """Windows, recursion, grouping sets, MERGE, quoted names: one statement a line."""
    statements = (FOLDER / "statements.sql").read_text().splitlines()
    named = {sql: _named(resolver, sql, {}) for sql in statements}
    wrong = {
        sql: how for sql in statements if named[sql] and (how := shop.interferes(sql, named[sql]))
    }
    assert not wrong, "\n".join(f"{how}:\n  {sql}" for sql, how in wrong.items())
    assert sum(map(bool, named.values())) > len(statements) / 5


@pytest.mark.long
def test_of_thousands_none_names_a_wrong_tenant(shop, resolver, seed):
    """Other statements each time; a failure prints what repeats them."""
    statements = ShopStatements(seed)
    wrong, named_ones, ran = [], 0, 0
    for number in range(IN_LONG_TEST):
        sql, values = statements.one()
        named = _named(resolver, sql, values)
        if not named & set(TENANTS):
            continue
        named_ones += 1
        how = shop.interferes(with_values(sql, values), named)
        ran += how is not None
        # What INSERT … SELECT and MERGE read of one table may be defaults for all.
        if how and not (sql.startswith("INSERT") and " SELECT " in sql and "changes" not in how):
            wrong.append(
                f"seed {statements.seed}, number {number}, {sorted(named)}: {how}:\n  {sql}\n"
                f"  {values}"
            )
    assert not wrong, "\n".join(wrong[:20])
    assert named_ones >= NAMED_AT_LEAST * IN_LONG_TEST
    assert ran >= 0.5 * named_ones


def _mutations_named_wrongly(shop, resolver, chosen, count):
    """What PostgreSQL says of mutations of the written statements; how many of them ran."""
    statements = (FOLDER / "statements.sql").read_text().splitlines()
    statements = [sql for sql in statements if not sql.startswith("EXPLAIN")]
    wrong, ran = [], 0
    for _ in range(count):
        sql = mutated(chosen.choice(statements), chosen)
        named = _named(resolver, sql, {}) if sql is not None else set()
        if not named & set(TENANTS):
            continue
        how = shop.interferes(sql, named)
        ran += how is not None
        # What it writes and where it meets a row is told by values and keys that the text has.
        if how and not sql.startswith(("INSERT", "MERGE")):
            wrong.append(f"{sorted(named)}: {how}:\n  {sql}")
    return wrong, ran


def test_mutations_of_written_statements_name_nobody_wrongly(shop, resolver):
    """The same ones each time."""
    wrong, ran = _mutations_named_wrongly(shop, resolver, random.Random(4), 1_000)
    assert not wrong, "\n".join(wrong[:20])
    assert ran >= 50


@pytest.mark.long
def test_of_many_mutations_none_names_a_wrong_tenant(shop, resolver, seed):
    """Other ones each time; a failure prints what repeats them."""
    wrong, ran = _mutations_named_wrongly(shop, resolver, random.Random(seed), 12_000)
    assert not wrong, "\n".join(wrong[:20])
    assert ran >= 600


@pytest.mark.long
def test_what_names_nobody_is_refused_by_strict_and_seen_under_a_session(shop, make_resolver, seed):
    """Under a session's tenant it is sent, and marked wherever others have a part in it."""
    resolver = make_resolver(strict=True)
    statements = ShopStatements(seed)
    passed, unseen = [], []
    for _ in range(IN_LONG_TEST // 3):
        sql, values = statements.one()
        request = _request(sql, values)
        request.claims = resolver.claims(request)
        if named_by_statement(request.claims):
            continue
        with contextlib.suppress(TenantRefusedError):
            resolver.check(request)
            passed.append(sql)
        text = with_values(sql, values)
        if not request.claims.exposed and shop.interferes(text, {statements.mine}):
            unseen.append(sql)
    assert not passed, "\n".join(passed[:10])
    assert not unseen, "\n".join(unseen[:10])
