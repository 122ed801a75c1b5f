"""PostgreSQL judges random flows: no session holds another tenant than the one we say."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.pq import ExecStatus, TransactionStatus

from tenantmetrics import config
from tenantmetrics.capture.request import Request
from tenantmetrics.health import Health
from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.records import OK, Call, SessionKind
from tenantmetrics.tenant.identity.tenant_ids import from_text
from tenantmetrics.tenant.resolve import Resolver
from tenantmetrics.tenant.session.tracker import TrackedSession
from tests.tenant.session.session_flows import VARIABLES, SessionFlows

IN_TEST = 400
IN_LONG_TEST = 10_000
TOLD_AT_LEAST = 0.45
"""Of the moments in which the session holds a tenant. Random flows prepare, fetch and run blocks
that may set anything, after which nothing is known; applications do not."""
KINDS = (SessionKind.CONNECTION, SessionKind.TRANSACTION)
RESOLVER = Resolver(config.load({}, tenant_variables=list(VARIABLES)), Health())
HOLDS = (
    "SELECT current_setting('app.tenant', true), current_setting('tenant.id', true), current_user,"
    " current_setting('search_path')"
)
SCHEMA = """
    CREATE TABLE held (x text); CREATE TABLE nothing (x text);
    CREATE ROLE tenant_1 SUPERUSER; CREATE ROLE tenant_2 SUPERUSER; CREATE ROLE app_user SUPERUSER;
    CREATE SCHEMA tenant_1; CREATE SCHEMA tenant_2;
    CREATE PROCEDURE does_nothing(text) LANGUAGE sql AS 'SELECT 1';
"""
CLEAN = (
    "ROLLBACK",
    "RESET SESSION AUTHORIZATION",
    "DISCARD ALL",
    "TRUNCATE held; INSERT INTO held VALUES ('x'), ('y')",
)


class Judge:
    """Runs flows in one session of PostgreSQL, and asks it what it holds after each text.

    Attributes:
        held: Moments in which it held a tenant.
        told: How many of these were told.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.held = self.told = 0

    def wrong(self, texts: list[str], kind: SessionKind) -> str | None:
        """The first moment of a flow in which another tenant was believed; None where none was."""
        for text in CLEAN:
            self._run(text)
        if kind is SessionKind.TRANSACTION:
            self._run("BEGIN")
        tracked = TrackedSession(kind, VARIABLES)
        for index, text in enumerate(texts):
            tracked.follow(self._sent(text, kind))
            if self._connection.info.transaction_status is TransactionStatus.INERROR:
                # What it holds cannot be asked.
                continue
            holds, believed = self._holds(), tracked.variables.current()
            self.held += holds is not None
            self.told += holds is not None and believed is not None
            if believed not in {None, holds}:
                flow = "\n    ".join(texts[: index + 1])
                return f"{kind}: {believed} believed, {holds} held after\n    {flow}"
        return None

    def _sent(self, text: str, kind: SessionKind) -> Call:
        is_open = self._connection.info.transaction_status is not TransactionStatus.IDLE
        request = Request(
            *("execute", text, None, "key"),
            session_kind=kind,
            in_transaction=is_open or kind is SessionKind.TRANSACTION,
        )
        request.claims = RESOLVER.claims(request)
        succeeded = self._run(text)
        outcome, sqlstate, status = (OK, "", 200) if succeeded else ("Error", "22012", 400)
        return Call(
            *("execute", 1, 1, outcome, sqlstate, status, 1, 0, 0, 0, 0, 0, "key", "", ""),
            request.claims,
            transition=request.transition,
            session_kind=kind,
        )

    def _run(self, text: str) -> bool:
        """Whether a text succeeded; it is sent as it is, several statements at once."""
        status = self._connection.pgconn.exec_(text.encode()).status
        return status not in {ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE}

    def _holds(self) -> str | None:
        first, second, role, path = self._connection.execute(HOLDS, prepare=False).fetchone()
        for variable in (first, second):
            if variable:
                return from_text(variable)
        vocabulary = RESOLVER.vocabulary
        return vocabulary.of_role(role) or vocabulary.of_search_path(path)


SET_SEVEN, SET_ACME = "SET app.tenant TO '7'", "SET tenant.id TO 'acme'"
SURPRISING = [
    # RESET ALL passes over what is at its default: what that hid comes back.
    [SET_SEVEN, "BEGIN", "SET LOCAL app.tenant TO DEFAULT", "RESET ALL", "COMMIT", SET_ACME],
    [SET_SEVEN, "BEGIN", "DO $$ BEGIN SET LOCAL app.tenant TO DEFAULT; END $$", "RESET ALL",
     "COMMIT", SET_ACME],
    # The failed text has left no transaction, so that the cursor is read at once.
    ["ROLLBACK TO s; ABORT AND CHAIN", SET_SEVEN,
     "DECLARE c CURSOR WITH HOLD FOR SELECT set_config('app.tenant', 'bee', false)"],
    # An update of pg_settings is a SET.
    ["SET search_path = tenant_2",
     "UPDATE pg_settings SET setting = 'tenant_1' WHERE name = 'search_path'"],
]  # fmt: skip


@pytest.fixture
def judge() -> Iterator[Judge]:
    with embedded() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        yield Judge(connection)


@pytest.fixture
def judged(judge: Judge) -> Callable[[int, int], list[str]]:
    """Judge so many flows of a seed; gives the wrong ones."""

    def go(seed: int, count: int) -> list[str]:
        flows = SessionFlows(seed)
        found = (judge.wrong(flows.one(), KINDS[number % 2]) for number in range(count))
        return [wrong for wrong in found if wrong is not None]

    return go


@pytest.mark.parametrize("flow", SURPRISING)
def test_no_other_tenant_is_believed_where_postgresql_surprises(judge, flow):
    """Each was found by random flows."""
    assert judge.wrong(flow, SessionKind.CONNECTION) is None


def test_no_session_holds_another_tenant_than_is_believed(judge, judged):
    """The same flows each time."""
    wrong = judged(1, IN_TEST)
    assert not wrong, "\n".join(wrong[:20])
    assert judge.told >= TOLD_AT_LEAST * judge.held


@pytest.mark.long
def test_of_ten_thousand_flows_none_believes_another_tenant(judge, judged, seed):
    """Other flows each time; a failure prints what repeats them."""
    wrong = judged(seed, IN_LONG_TEST)
    assert not wrong, "\n".join(wrong[:20])
    assert judge.told >= TOLD_AT_LEAST * judge.held
