"""One tracker follows sessions that end and sessions that stay, as PostgreSQL would."""

from __future__ import annotations

import psycopg
import pytest

from tenantmetrics import config
from tenantmetrics.capture.request import Request
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.health import Health
from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.records import UNATTRIBUTED, Call, Misuse, SessionKind, Transition
from tenantmetrics.tenant.resolve import Resolver
from tenantmetrics.tenant.session.attribution import Attributor

READ = "SELECT * FROM bookings WHERE tenant_id = current_setting('app.current_tenant_id')"
SET_ACME, SET_BEE = "SET app.tenant_id = 'acme'", "SET app.tenant_id = 'bee'"
LOCAL_BEE = "SET LOCAL app.tenant_id = 'bee'"
BEGIN, COMMIT, ROLLBACK = Transition.BEGIN, Transition.COMMIT, Transition.ROLLBACK


class Client:
    """A driver's connection, as its adapter tells of it."""

    def __init__(self, kind=SessionKind.CONNECTION, **settings):
        settings = config.load({}, **settings)
        self.resolver = Resolver(settings, Health())
        self.attributor = Attributor(settings, Health())
        self.kind, self.in_transaction, self.strict = kind, False, settings.strict
        self.settled = []

    def __call__(self, *steps):
        for given in steps:
            step, outcome = given if isinstance(given, tuple) else (given, "ok")
            transition = step if isinstance(step, Transition) else Transition.NONE
            sql = "" if isinstance(step, Transition) else step
            request = Request(
                "execute", sql, None, "key", session_kind=self.kind, transition=transition,
                in_transaction=self.in_transaction,
            )  # fmt: skip
            request.claims = self.resolver.claims(request)
            if self.strict:
                self.resolver.check(request)
            if step is BEGIN or step == "BEGIN":
                self.in_transaction = True
            elif step in {COMMIT, ROLLBACK, "COMMIT", "ROLLBACK"}:
                self.in_transaction = False
            call = Call(
                "execute", 1, 1, outcome, "", 0, 1, 0, 0, 0, 0, 0, "key", "", "", request.claims,
                transition=transition, session_kind=self.kind,
            )  # fmt: skip
            self.settled += self.attributor.submit(call)
            self.resolver.observe(call)
        return self

    @property
    def tenants(self):
        return [tenant for _, found in self.settled for tenant, _ in found.shares]

    @property
    def misuses(self):
        return [misuse for _, found in self.settled for misuse in found.misuses]


def test_what_a_connection_sets_holds_on_after_a_commit():
    """SET without LOCAL is no misuse there, and names the next transaction's calls from BEGIN."""
    found = Client()(SET_ACME, BEGIN, READ, COMMIT, READ)
    assert found.tenants == ["acme"] * 5
    assert found.misuses == []


@pytest.mark.parametrize(("begin", "commit"), [(BEGIN, COMMIT), ("BEGIN", "COMMIT")])
def test_what_is_local_ends_with_its_transaction(begin, commit):
    """By the driver's methods or as SQL; COMMIT as SQL is no misuse there."""
    found = Client()(SET_ACME, begin, LOCAL_BEE, READ, commit, READ)
    assert found.tenants[2:] == ["bee", "bee", "bee", "acme"]
    assert found.misuses == []


def test_a_rollback_undoes_what_was_set_since_the_begin():
    """Also what was set without LOCAL."""
    assert Client()(SET_ACME, BEGIN, SET_BEE, ROLLBACK, READ).tenants[-1] == "acme"
    assert Client()(SET_ACME, BEGIN, SET_BEE, COMMIT, READ).tenants[-1] == "bee"


def test_the_commit_of_a_failed_transaction_is_a_rollback():
    """PostgreSQL answers it with ROLLBACK, and no error."""
    failed = ("SELECT 1/0", "DivisionByZero")
    assert Client()(SET_ACME, BEGIN, SET_BEE, failed, COMMIT, READ).tenants[-1] == "acme"


def test_set_local_outside_a_transaction_is_misuse_anywhere():
    """It does nothing: what comes after is not for whom it names."""
    found = Client()(LOCAL_BEE, READ)
    assert found.misuses == [Misuse.LOCAL_OUTSIDE_TRANSACTION]
    assert found.tenants == ["bee", UNATTRIBUTED]


def test_a_connection_may_serve_one_tenant_after_the_other():
    """A pool hands it to the next request: no change of tenant in a transaction."""
    found = Client()(SET_ACME, READ, SET_BEE, READ, BEGIN, SET_ACME, COMMIT, READ)
    assert found.misuses == []
    assert [found.tenants[1], found.tenants[3], found.tenants[-1]] == ["acme", "bee", "acme"]
    assert Client()(BEGIN, SET_ACME, SET_BEE).misuses == [Misuse.TENANT_CHANGED]


def test_a_pooled_connection_is_anothers_after_its_transaction():
    """What it sets without LOCAL is misuse, and names nothing after the COMMIT."""
    found = Client(SessionKind.POOLED)(BEGIN, SET_ACME, READ, COMMIT, READ)
    assert found.tenants == ["acme"] * 4 + [UNATTRIBUTED]
    assert found.misuses == [Misuse.SET_WITHOUT_LOCAL]


def test_calls_before_the_set_wait_for_it_in_a_transaction_of_a_connection_too():
    """BEGIN and what came before go to the tenant that the transaction turns out to serve."""
    client = Client()(BEGIN, READ)
    assert client.settled == []
    assert client(LOCAL_BEE, COMMIT).tenants == ["bee"] * 4
    assert client(BEGIN, READ, COMMIT).tenants[4:] == [UNATTRIBUTED] * 3


def test_a_connection_that_is_idle_keeps_what_it_holds_until_it_is_closed():
    """Hours later it is still the same session."""
    client = Client()(SET_ACME)
    assert client.attributor.expire(10**15) == []
    assert client(READ).tenants[-1] == "acme"
    client.attributor.forget("key")
    client.attributor.expire(0)
    assert client(READ).tenants[-1] == UNATTRIBUTED


def test_a_session_that_is_not_asked_names_nobody():
    """What `tenant_sources` leaves out neither names a call nor keeps others from doing so."""
    by_statement = "SELECT 1 FROM b WHERE tenant_id = 'cat'"
    found = Client(tenant_sources=["statement"])(BEGIN, LOCAL_BEE, READ, by_statement, COMMIT)
    assert set(found.tenants) == {"cat"}


def test_strict_asks_the_same_tracker():
    """It follows a connection from SET to SET, and refuses what nothing names."""
    client = Client(strict=True)
    with pytest.raises(TenantRefusedError):
        client(READ)
    client(SET_ACME, BEGIN, READ, COMMIT, READ)
    with pytest.raises(TenantRefusedError, match="other_tenants_rows"):
        client("SELECT 1 FROM b WHERE tenant_id = 'bee'")
    client(SET_BEE, "SELECT 1 FROM b WHERE tenant_id = 'bee'")
    client.resolver.forget("key")
    with pytest.raises(TenantRefusedError):
        client(READ)


def test_in_a_transaction_of_the_api_a_commit_as_sql_does_not_allow_another_tenant():
    """It is still one session for one tenant, unlike a connection."""
    steps = (SET_ACME, "COMMIT", SET_BEE)
    assert Misuse.TENANT_CHANGED in Client(SessionKind.TRANSACTION)(*steps).misuses
    assert Client()(*steps).misuses == []


def test_a_commit_as_sql_that_failed_ends_the_transaction():
    """A deferred constraint, for example: PostgreSQL has rolled back."""
    client = Client()(SET_ACME, "BEGIN", SET_BEE, ("COMMIT", "ForeignKeyViolation"), READ)
    assert client.tenants[-1] == "acme"
    assert client(LOCAL_BEE, READ).tenants[-1] == "acme"


SCRIPTS = {
    "a connection keeps what is not local": (
        SET_ACME, "BEGIN", LOCAL_BEE, "COMMIT", "BEGIN", SET_BEE, "ROLLBACK", "BEGIN", SET_BEE,
        "COMMIT", LOCAL_BEE, "RESET app.tenant_id",
    ),
    "a failed transaction is rolled back by COMMIT": (
        SET_ACME, "BEGIN", SET_BEE, "SELECT 1/0", "COMMIT", SET_BEE,
    ),
    "a savepoint heals a failed transaction": (
        SET_ACME, "BEGIN", "SAVEPOINT s", SET_BEE, "SELECT 1/0", "ROLLBACK TO s", LOCAL_BEE,
        "COMMIT",
    ),
    "it heals within one text": (
        SET_ACME, "BEGIN", SET_BEE, "SAVEPOINT s", "SELECT 1/0", "ROLLBACK TO s; COMMIT",
    ),
    "a COMMIT that fails rolls back": (
        SET_ACME, "BEGIN", SET_BEE, "INSERT INTO child VALUES (1)", "COMMIT", LOCAL_BEE,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def url():
    with embedded() as found, psycopg.connect(found, autocommit=True) as admin:
        admin.execute("CREATE TABLE parent (id int PRIMARY KEY)")
        admin.execute("CREATE TABLE child (id int REFERENCES parent INITIALLY DEFERRED)")
        yield found


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_connection_is_followed_as_postgresql_follows_it(url, script):
    """Its variable and its transaction, after every step that leaves it able to answer."""
    status = psycopg.pq.TransactionStatus
    client, compared = Client(), 0
    with psycopg.connect(url, autocommit=True) as connection:
        for sql in script:
            outcome = "ok"
            try:
                connection.execute(sql)
            except psycopg.Error as error:
                outcome = type(error).__name__
            client((sql, outcome))
            tracked = client.attributor._tracker.find("key")
            now = connection.info.transaction_status
            assert tracked.in_transaction is (now is not status.IDLE), sql
            if now is not status.INERROR:
                asked = "SELECT current_setting('app.tenant_id', true)"
                (held,) = connection.execute(asked).fetchone()
                assert (tracked.variables.current() or "") == (held or ""), sql
                compared += 1
    assert compared >= len(script) - 1
