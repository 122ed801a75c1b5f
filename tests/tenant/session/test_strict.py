"""`strict` refuses a call before it is sent, and says what was found where."""

from __future__ import annotations

import pytest

from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.tenant.identity.tenant_context import tenant

READ = "SELECT * FROM bookings"


@pytest.fixture
def strict(make_resolver, make_call):
    class Strictly:
        def __init__(self, **settings):
            self.resolver = make_resolver(strict=True, **settings)

        def __call__(self, sql, *, transaction="", outcome="ok", operation=None, **params):
            name = operation or ("ExecuteStatement" if " " in sql or sql.isupper() else sql)
            if name == "ExecuteStatement":
                params["sql"] = sql
            if transaction:
                params["transactionId"] = transaction
            request = request_of(name, params)
            request.claims = self.resolver.claims(request)
            self.resolver.check(request)
            self.resolver.observe(
                make_call(request.claims, operation=name, transaction=transaction, outcome=outcome)
            )

    return Strictly


def test_a_call_without_a_tenant_is_refused(strict):
    """The error names the statement and every way out."""
    with pytest.raises(TenantRefusedError, match=r"'SELECT bookings' was not sent.*tenant\(") as e:
        strict()(READ)
    assert "\n" not in str(e.value)


def test_a_call_with_any_source_passes(strict):
    """Context, predicate, comment or schema: each is enough."""
    call = strict()
    with tenant("acme"):
        call(READ)
    call("SELECT * FROM bookings WHERE tenant_id = 'acme'")
    call("SELECT * FROM bookings /*tenant_id='acme'*/")
    call("SELECT * FROM tenant_12.bookings")


def test_an_undecided_statement_is_refused(strict):
    """`tenant_id <> …` names nobody."""
    with pytest.raises(TenantRefusedError, match="does not tell"):
        strict()("SELECT * FROM bookings WHERE tenant_id <> 'acme'")


def test_an_rls_transaction_passes_whole(strict):
    """BEGIN has no tenant yet, SET names it, the statements have it, COMMIT ends it."""
    call = strict()
    call("BeginTransaction", transaction="t")
    call("SET LOCAL app.current_tenant_id = 'acme'", transaction="t")
    call(READ, transaction="t")
    call("SAVEPOINT s", transaction="t")
    call("SELECT 1 FROM b WHERE tenant_id = 'acme'", transaction="t")
    call("CommitTransaction", transaction="t")


def test_a_statement_before_the_set_is_refused(strict):
    """Nothing has named a tenant when it would be sent."""
    call = strict()
    call("BeginTransaction", transaction="t")
    with pytest.raises(TenantRefusedError):
        call(READ, transaction="t")


def test_after_a_set_that_failed_statements_are_refused(strict):
    """It set nothing."""
    call = strict()
    call("SET LOCAL app.tenant = 'acme'", transaction="t", outcome="BadRequestException")
    with pytest.raises(TenantRefusedError):
        call(READ, transaction="t")


def test_after_the_end_of_its_transaction_a_tenant_is_forgotten(strict):
    """The same id would be another transaction."""
    call = strict()
    call("SET LOCAL app.tenant = 'acme'", transaction="t")
    call("CommitTransaction", transaction="t")
    with pytest.raises(TenantRefusedError):
        call(READ, transaction="t")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM b WHERE tenant_id = 'bee'",
        "SET LOCAL app.tenant = 'bee'",
        "SELECT set_config('app.tenant', 'bee', true)",
    ],
)
def test_another_tenant_than_the_sessions_is_refused(strict, sql):
    """A predicate or a second SET for somebody else; the error names both."""
    call = strict()
    call("SET LOCAL app.tenant = 'acme'", transaction="t")
    with pytest.raises(TenantRefusedError, match=r"disagree.*bee"):
        call(sql, transaction="t")
    call(READ, transaction="t")


def test_a_set_to_another_tenant_than_the_contexts_is_refused(strict):
    """Inside `with tenant("acme")` nobody becomes bee."""
    call = strict()
    with tenant("acme"), pytest.raises(TenantRefusedError, match=r"'acme'.*'bee'"):
        call("SET LOCAL app.tenant = 'bee'", transaction="t")


def test_two_tenants_in_one_statement_are_refused_only_where_they_clash(strict):
    """A list of two is a call for both; a join across tenants is a conflict."""
    call = strict()
    call("SELECT 1 FROM a WHERE tenant_id IN ('acme', 'bee')")
    with pytest.raises(TenantRefusedError, match="other_tenants_rows"):
        call("SELECT 1 FROM a JOIN b ON a.id = b.id WHERE a.tenant_id = 'x' AND b.tenant_id = 'y'")


def test_ends_of_transactions_are_never_refused(strict):
    """A refused COMMIT would leave the transaction open."""
    call = strict()
    call("RollbackTransaction", transaction="t")
    call("CommitTransaction", transaction="t")


def test_statements_tables_and_clients_can_be_exempt(strict):
    """By summary, by table if all are exempt, by cluster or secret."""
    strict(strict_exempt_statements=["SELECT book*"])(READ)
    strict(strict_exempt_tables=["plans"])("SELECT * FROM plans")
    with pytest.raises(TenantRefusedError):
        strict(strict_exempt_tables=["plans"])("SELECT * FROM plans, bookings")
    strict(strict_exempt_clients=["*:cluster:reporting"])(
        READ, resourceArn="arn:aws:rds:eu-west-1:1:cluster:reporting"
    )


def test_the_transactions_that_are_followed_are_bounded(strict):
    """The one idle longest is forgotten."""
    call = strict(max_transactions=2)
    for number in range(3):
        call("SET LOCAL app.tenant = 'acme'", transaction=f"t{number}")
    call(READ, transaction="t2")
    with pytest.raises(TenantRefusedError):
        call(READ, transaction="t0")
