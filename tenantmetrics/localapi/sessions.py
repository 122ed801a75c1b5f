"""Connections between calls: the pool for calls outside transactions, and the transactions."""

from __future__ import annotations

import asyncio
import secrets
import time
from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError, database_error
from tenantmetrics.localapi.connection import Connection, ConnectionLostError
from tenantmetrics.localapi.slots import LEAVES_WITHIN_S, RETRY_S, is_full

__all__ = ["PoolMode", "SessionPool", "Transaction", "Transactions"]

TRANSACTION_IDLE_S = 180.0
"""A transaction without calls is rolled back after 3 minutes (AWS, BeginTransaction)."""
TRANSACTION_LIFETIME_S = 24 * 3600.0
"""A transaction ends after 24 hours at the latest (AWS, BeginTransaction)."""
_POOLED_IDLE_S = 60.0
_MAX_ACTIVE = 100
_MAX_IDLE = 100


class PoolMode(StrEnum):
    """What happens to a session between two calls that share a connection."""

    RESET = "reset"
    """DISCARD ALL: nothing of one call is seen by the next."""
    LEAKY = "leaky"
    """Nothing: what a SET without LOCAL left behind is still set. A demonstration of what can go
    wrong with pooled sessions, not a claim about AWS."""


class SessionPool:
    """Open connections by connection string; a call outside transactions borrows one.

    At most `_MAX_ACTIVE` are borrowed at a time and `_MAX_IDLE` are kept, of all databases and
    roles together; the longest idle goes first, and goes earlier if PostgreSQL has no slot left.

    Args:
        mode: What happens between calls.
        clock: Monotonic seconds.
        timed: Whether connections count their statements' time.
    """

    def __init__(self, mode: PoolMode, clock: Callable[[], float], *, timed: bool = False) -> None:
        self._mode = mode
        self._timed = timed
        self._clock = clock
        self._idle: defaultdict[str, deque[tuple[Connection, float]]] = defaultdict(deque)
        # Real time, whatever the clock says: when the endpoint last left a connection. It has just
        # left one: the probe of a URL, or what made roles and databases.
        self._left_s = time.monotonic()
        # PostgreSQL refuses connections past its own maximum; calls rather wait for a turn.
        self._turns = asyncio.Semaphore(_MAX_ACTIVE)

    async def acquire(self, conninfo: str) -> Connection:
        """Borrow a connection; `release` must follow.

        Raises:
            ConnectionLostError: PostgreSQL cannot be reached, or refuses.
        """
        await self._turns.acquire()
        try:
            return await self.open(conninfo)
        except BaseException:
            self._turns.release()
            raise

    def release(self, conninfo: str, connection: Connection) -> None:
        """Give a borrowed connection back."""
        self._turns.release()
        self.keep(conninfo, connection)

    async def open(self, conninfo: str) -> Connection:
        """An idle connection or a new one, not counted against the turns. Errors as `acquire`."""
        idle = self._idle[conninfo]
        while idle:
            # The longest idle first: its reset has most likely ended by now.
            connection, _ = idle.popleft()
            if self._mode is PoolMode.RESET and not connection.lost:
                try:
                    await connection.finish()
                except ConnectionLostError:
                    continue
            if not connection.lost:
                return connection
            connection.close()
        return await self._connect(conninfo)

    async def _connect(self, conninfo: str) -> Connection:
        """A new connection; what is idle makes room for it if PostgreSQL has no slot left.

        A connection that the endpoint left, whether it made room or for any other reason, holds its
        slot until its backend is gone: that is waited for.
        """
        give_up_s = time.monotonic() + LEAVES_WITHIN_S
        while True:
            try:
                return await Connection.open(conninfo, timed=self._timed, on_left=self._note_left)
            except ConnectionLostError as error:
                if not is_full(error):
                    raise
                self._evict()
                if time.monotonic() >= min(give_up_s, self._left_s + LEAVES_WITHIN_S):
                    raise
            await asyncio.sleep(RETRY_S)

    def _note_left(self) -> None:
        self._left_s = time.monotonic()

    def _evict(self) -> None:
        """Close the longest idle connection, if any is idle."""
        idle = min(filter(None, self._idle.values()), key=lambda idle: idle[0][1], default=None)
        if idle is not None:
            idle.popleft()[0].close()

    def keep(self, conninfo: str, connection: Connection) -> None:
        """Make a connection idle, its reset on the way to PostgreSQL, not waited for."""
        if connection.lost or connection.in_transaction:
            # BEGIN sent as a statement outside transactions: what it opened must not stay open.
            connection.close()
            return
        if self._mode is PoolMode.RESET:
            try:
                connection.send(b"DISCARD ALL")
            except ConnectionLostError:
                connection.close()
                return
        if sum(map(len, self._idle.values())) >= _MAX_IDLE:
            self._evict()
        self._idle[conninfo].append((connection, self._clock()))

    def reap(self) -> None:
        """Close what nobody has used for a while."""
        oldest = self._clock() - _POOLED_IDLE_S
        for idle in self._idle.values():
            while idle and idle[0][1] < oldest:
                idle.popleft()[0].close()

    def close(self) -> None:
        """Close all idle connections."""
        for idle in self._idle.values():
            while idle:
                idle.popleft()[0].close()


@dataclass(slots=True)
class Transaction:
    """An open transaction.

    Attributes:
        id: Its transactionId.
        connection: Its own connection.
        conninfo: The connection's string.
        resource: resourceArn of BeginTransaction.
        secret: secretArn of BeginTransaction.
        database: Name of its database.
        started_s: When it began, on the clock.
        used_s: When its last call ended, on the clock.
        busy: Whether a call is running.
    """

    id: str
    connection: Connection
    conninfo: str
    resource: str
    secret: str
    database: str
    started_s: float
    used_s: float
    busy: bool = False


class Transactions:
    """The open transactions by id.

    Args:
        clock: Monotonic seconds.
        idle_s: Seconds without a call after which one is rolled back.
        lifetime_s: Seconds after which one is rolled back in any case.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        idle_s: float = TRANSACTION_IDLE_S,
        lifetime_s: float = TRANSACTION_LIFETIME_S,
    ) -> None:
        self._clock = clock
        self._idle_s = idle_s
        self._lifetime_s = lifetime_s
        self._open: dict[str, Transaction] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(
        self,
        connection: Connection,
        conninfo: str,
        resource: str,
        secret: str,
        database: str,
    ) -> Transaction:
        """Register a connection on which BEGIN has just run."""
        now = self._clock()
        transaction = Transaction(
            # As AWS writes them; never a leading "-", which command lines take for an option.
            b64encode(b"\1" + secrets.token_bytes(95)).decode(),
            connection,
            conninfo,
            resource,
            secret,
            database,
            now,
            now,
        )
        self._open[transaction.id] = transaction
        return transaction

    def enter(
        self,
        identity: str,
        resource: str,
        secret: str,
        database: str | None = None,
    ) -> Transaction:
        """Take a transaction for one call; `leave` or `remove` must follow.

        Raises:
            ApiError: It is unknown, expired, somebody else's, or busy.
        """
        transaction = self._open.get(identity)
        if (
            transaction is None
            or (transaction.resource, transaction.secret) != (resource, secret)
            or (not transaction.busy and self._expired(transaction))
        ):
            raise ApiError("TransactionNotFoundException", f"Transaction {identity} is not found")
        if transaction.busy:
            raise database_error("Transaction is still running a query")
        if database and database != transaction.database:
            status, code, text = guesses.OTHER_DATABASE_IN_TRANSACTION
            raise ApiError(code, text, status=status)
        transaction.busy = True
        return transaction

    def leave(self, transaction: Transaction) -> None:
        """End a call."""
        transaction.busy = False
        transaction.used_s = self._clock()
        if transaction.connection.lost and guesses.TRANSACTION_AFTER_LOST_CONNECTION_IS_UNKNOWN:
            self._open.pop(transaction.id, None)
            transaction.connection.close()

    def remove(self, transaction: Transaction) -> None:
        """Forget a transaction; its connection is the caller's."""
        self._open.pop(transaction.id, None)

    async def reap(self) -> None:
        """Roll back what has been idle or open for too long."""
        for transaction in [*self._open.values()]:
            if not transaction.busy and self._expired(transaction):
                self.remove(transaction)
                connection = transaction.connection
                try:
                    await connection.run(b"ROLLBACK")
                except ConnectionLostError:
                    pass
                finally:
                    connection.close()

    def close(self) -> None:
        """Close all connections, busy or not."""
        for transaction in self._open.values():
            transaction.connection.close()
        self._open.clear()

    def _expired(self, transaction: Transaction) -> bool:
        now = self._clock()
        return (
            now - transaction.used_s >= self._idle_s
            or now - transaction.started_s >= self._lifetime_s
        )
