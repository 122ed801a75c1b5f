"""A slot that the endpoint left a moment ago, and that PostgreSQL has not given up yet."""

import asyncio
import time
from types import SimpleNamespace

import psycopg
import pytest

from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi import databases, sessions
from tenantmetrics.localapi.connection import Connection, ConnectionLostError
from tenantmetrics.localapi.sessions import PoolMode, SessionPool

FULL = 'FATAL: too many connections for role "small"'


class Opened:
    """A connection that is open, of which the pool learns when it is left."""

    lost = False
    in_transaction = True

    def __init__(self, on_left):
        self.close = on_left


class Openings:
    """PostgreSQL's answers: how often it refuses before it lets one in."""

    def __init__(self, refusals, text=FULL):
        self.refusals = refusals
        self.text = text
        self.asked = 0

    async def open(self, conninfo, *, timed, on_left):
        self.asked += 1
        if self.asked <= self.refusals:
            raise ConnectionLostError(self.text)
        return Opened(on_left)


@pytest.fixture
def refusing(monkeypatch):
    def refusing(refusals, text=FULL):
        openings = Openings(refusals, text)
        monkeypatch.setattr(Connection, "open", openings.open)
        return openings

    return refusing


@pytest.fixture
def never_leaves(monkeypatch):
    """What was left is taken to be gone at once."""
    monkeypatch.setattr(sessions, "LEAVES_WITHIN_S", 0.0)
    monkeypatch.setattr(databases, "LEAVES_WITHIN_S", 0.0)


def pool():
    return SessionPool(PoolMode.RESET, time.monotonic)


def test_the_first_call_waits_for_the_slot_that_the_probe_left(refusing):
    """Nothing is idle then that could make room."""
    openings = refusing(2)
    asyncio.run(pool().acquire("dbname=app"))
    assert openings.asked == 3


def test_a_call_waits_for_the_slot_of_a_connection_that_was_closed(refusing, monkeypatch):
    """Here because a statement left a transaction open on it."""
    now_s = 0.0
    # The pool's time alone: the event loop needs its own.
    monkeypatch.setattr(sessions, "time", SimpleNamespace(monotonic=lambda: now_s))
    openings = refusing(0)
    calls = pool()

    async def two():
        nonlocal now_s
        connection = await calls.acquire("dbname=app")
        now_s += 1000  # the probe is long ago
        calls.release("dbname=app", connection)
        openings.refusals = 3
        await calls.acquire("dbname=app")

    asyncio.run(two())
    assert openings.asked == 4


@pytest.mark.usefixtures("never_leaves")
def test_what_others_hold_is_not_waited_for(refusing):
    """The endpoint has left nothing that could still be going."""
    openings = refusing(2)
    with pytest.raises(ConnectionLostError, match="too many"):
        asyncio.run(pool().acquire("dbname=app"))
    assert openings.asked == 1


def test_another_refusal_is_told_at_once(refusing):
    """Only a full PostgreSQL may think again."""
    openings = refusing(2, 'FATAL: database "app" does not exist')
    with pytest.raises(ConnectionLostError, match="does not exist"):
        asyncio.run(pool().acquire("dbname=app"))
    assert openings.asked == 1


def test_the_probe_waits_for_an_endpoint_that_has_just_stopped(monkeypatch):
    """Its connections may still be going."""
    answers = [psycopg.OperationalError(FULL), psycopg.OperationalError(FULL), None]

    class Connected:
        def close(self):
            answers.append("closed")

    def connect(*_, **__):
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return Connected()

    monkeypatch.setattr(psycopg, "connect", connect)
    databases.probe("postgresql://localhost/app")
    assert answers == ["closed"]


@pytest.mark.usefixtures("never_leaves")
def test_the_probe_gives_up_on_a_postgresql_that_stays_full(monkeypatch):
    """One line says so."""

    def connect(*_, **__):
        raise psycopg.OperationalError(FULL)

    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(LocalApiError, match="too many connections"):
        databases.probe("postgresql://localhost/app")
