"""Attempts in the proof's transaction: each as somebody, each undone, none ends the transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tenantmetrics.policies.source import Connection, RefusedError

__all__ = ["Attempt", "Session"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a statement.

    Attributes:
        value: What it gave; None where it was refused.
        sqlstate: Why it was refused; empty where it was not.
    """

    value: Any = None
    sqlstate: str = ""


class Session:
    """One transaction, as the role that is connected and as the application's.

    Args:
        connection: In a transaction.
        role: The application's.
        variables: That of the tenant and that of the user: a row's tenant is its user, too.
    """

    def __init__(self, connection: Connection, role: str, variables: Sequence[str]) -> None:
        self.connection = connection
        self.role = role
        self._variables = variables
        self._depth = 0
        self._open: set[int] = set()

    def become(self, tenant: str, *, application: bool) -> None:
        """Be the application's role, or who is connected, with a tenant; "" for none."""
        settings = {"role": self.role if application else "none"}
        settings |= dict.fromkeys(self._variables, tenant)
        calls = ", ".join(
            f"set_config(CAST(:n{n} AS text), CAST(:v{n} AS text), true)"
            for n in range(len(settings))
        )
        parameters: dict[str, str] = {}
        for number, (name, value) in enumerate(settings.items()):
            parameters |= {f"n{number}": name, f"v{number}": value}
        self.connection.rows(f"SELECT {calls}", parameters)

    def undone(self, work: Callable[[], T]) -> Attempt:
        """Do something and undo it, whether it succeeds or not.

        Its savepoint stays for the next attempt: one request less each.

        Args:
            work: Sends statements.
        """
        if self._depth not in self._open:
            self.connection.rows(f"SAVEPOINT {self._name}")
            self._open.add(self._depth)
        done = self._attempt(work)
        self.connection.rows(f"ROLLBACK TO SAVEPOINT {self._name}")
        return done

    def kept(self, work: Callable[[], T]) -> Attempt:
        """Do something, and undo it only if it fails."""
        self.settle()
        self.connection.rows(f"SAVEPOINT {self._name}")
        done = self._attempt(work)
        if done.sqlstate:
            self.connection.rows(f"ROLLBACK TO SAVEPOINT {self._name}")
        self.connection.rows(f"RELEASE SAVEPOINT {self._name}")
        return done

    def settle(self) -> None:
        """Keep what comes next: a savepoint that is open would take it back."""
        if self._depth in self._open:
            self.connection.rows(f"RELEASE SAVEPOINT {self._name}")
            self._open.discard(self._depth)

    @property
    def _name(self) -> str:
        return f"tenantmetrics_proof_{self._depth}"

    def _attempt(self, work: Callable[[], T]) -> Attempt:
        self._depth += 1
        try:
            return Attempt(work())
        except RefusedError as error:
            return Attempt(sqlstate=error.sqlstate or "XX000")
        finally:
            # Savepoints within end with the one around them.
            self._open.discard(self._depth)
            self._depth -= 1
