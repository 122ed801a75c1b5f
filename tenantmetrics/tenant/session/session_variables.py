"""What a session's tenant variables hold, step by step: SET, RESET, savepoints, end of transaction.

As PostgreSQL does it: `ROLLBACK TO` restores what was set when the savepoint was made, `COMMIT`
ends what was LOCAL, `ROLLBACK` undoes everything since the last `COMMIT`. Only steps of statements
that succeeded may be applied: a SET that failed set nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, reduce
from operator import and_

from tenantmetrics.records import Misuse, SessionStep, SessionVerb

__all__ = ["AUTHORIZATION", "NOBODY", "ROLE", "SEARCH_PATH", "WEAK_VARIABLES", "Session"]

ROLE = "role"
AUTHORIZATION = "session_authorization"
"""Whose role holds where no other is set."""
SEARCH_PATH = "search_path"
NOBODY = "\0"
"""The role in use is no tenant's: the session's own, if it is one's, is not asked."""
WEAK_VARIABLES = frozenset({"application_name", ROLE, AUTHORIZATION, SEARCH_PATH})
"""They carry a tenant beside their own purpose: believed after every other variable, and no
conflict where they spell the tenant in another way."""

_KEPT = frozenset({ROLE, AUTHORIZATION})
"""What RESET ALL leaves as it is."""
_NONE = frozenset({None, "", NOBODY})
_MAX_SAVEPOINTS = 1_000
"""Bounds one transaction's memory; the oldest savepoints are forgotten first."""

_MAX_PREPARED = 1_000
"""Names of prepared statements that are remembered to set nothing."""

_Values = dict[str, tuple[str | None, bool, str | None]]
"""Variable → the tenant it holds, whether LOCAL, and then what it holds again after the end. None
is a tenant that is not known, the empty text is none."""


@lru_cache(maxsize=64)
def _in_order(variables: tuple[str, ...]) -> tuple[str, ...]:
    """The names, the most trusted first; worked out once, as every transaction asks."""
    ordered = [name.lower() for name in variables]
    strong = [name for name in ordered if name not in WEAK_VARIABLES]
    weak = [name for name in ordered if name in WEAK_VARIABLES]
    return tuple(dict.fromkeys([*strong, *weak, ROLE, AUTHORIZATION, SEARCH_PATH]))


def _same(one: _Values, other: _Values) -> _Values:
    """What both hold; a variable that differs is not known."""
    if one == other:
        return one
    return {
        name: one[name] if one.get(name) == other.get(name) else (None, False, None)
        for name in {**one, **other}
    }


def _after_reset_all(values: _Values, committed: _Values) -> _Values:
    """What RESET ALL leaves: the role, and what is at its default already.

    PostgreSQL passes over the latter, so that what `SET LOCAL … TO DEFAULT` hides comes back at
    COMMIT. Whether it was that or `SET LOCAL … = ''`, which RESET ALL resets for good, is not told
    apart; what this transaction did not touch is reset for good.
    """
    left: _Values = {}
    for name, held in values.items():
        tenant, local, after = held
        if name in _KEPT:
            left[name] = held
        elif held is not committed.get(name) and (
            tenant is None or (local and tenant == "" != after)
        ):
            left[name] = "", True, None
    return left


class Session:
    """The tenant variables of one session, or of one transaction's share of it.

    Args:
        variables: Names of the variables, the most trusted first.
        stays: Whether the session outlives its transactions: then a transaction may set a variable
            anew that the session held before it, as connections are handed from tenant to tenant.
    """

    __slots__ = (
        "_committed",
        "_harmless",
        "_later",
        "_order",
        "_savepoints",
        "_stays",
        "_values",
        "in_transaction",
        "named_in_call",
    )

    def __init__(self, variables: Iterable[str], *, stays: bool = False) -> None:
        self._order = _in_order(tuple(variables))
        self._stays = stays
        self._values: _Values = {}
        self._committed: _Values = {}
        self._savepoints: list[tuple[str, _Values]] = []
        self._harmless: frozenset[str] = frozenset()
        """What was prepared and sets nothing."""
        self._later = False
        """A cursor was declared that may set something when it is read, at COMMIT at the latest."""
        self.in_transaction = False
        """Whether the last applied call left a transaction open."""
        self.named_in_call: str | None = None
        """The tenant that the last applied call named; None if it named none."""

    def copy(self) -> Session:
        """The same state, to try steps on."""
        other = Session((), stays=self._stays)
        other._order = self._order
        other._values, other._committed = self._values, self._committed
        other._savepoints = list(self._savepoints)
        other._harmless, other._later = self._harmless, self._later
        return other

    def current(self) -> str | None:
        """The tenant that the session serves now, None if nobody or not known."""
        values = self._values
        if not values:
            return None
        for name in self._order:
            held = values.get(name)
            if held is None or held[0] == "" or held[0] == NOBODY:
                continue
            if name == AUTHORIZATION and ROLE in values and values[ROLE][0] == NOBODY:
                continue
            # One that is not known may hold a tenant: those behind it are not asked.
            return held[0]
        return None

    def forget(self) -> None:
        """Nothing is known any longer, nor what the transaction goes back to."""
        self._values = self._committed = dict.fromkeys(self._order, (None, False, None))
        self._savepoints.clear()

    def keep_common(self, sessions: Iterable[Session]) -> None:
        """Keep what all of several sessions hold, one of which this is.

        Args:
            sessions: What it may be; with the same variables.
        """
        values, committed, savepoints, harmless, later = zip(
            *(session.state() for session in sessions),
            strict=True,
        )
        self._values, self._committed = reduce(_same, values), reduce(_same, committed)
        alike = all(each == savepoints[0] for each in savepoints)
        self._savepoints = list(savepoints[0]) if alike else []
        self._harmless = reduce(and_, harmless)
        self._later = any(later)

    def state(
        self,
    ) -> tuple[_Values, _Values, list[tuple[str, _Values]], frozenset[str], bool]:
        """All that it holds, to compare."""
        return self._values, self._committed, self._savepoints, self._harmless, self._later

    def forget_prepared(self) -> None:
        """Nobody knows what was prepared."""
        self._harmless = frozenset()

    def apply(self, steps: Iterable[SessionStep], *, in_transaction: bool) -> tuple[Misuse, ...]:
        """Do what one successful call did to its session.

        Args:
            steps: In the order of the text.
            in_transaction: Whether a transaction was open when the call began.

        Returns:
            The kinds of misuse that showed, each once.
        """
        misuses: dict[Misuse, None] = {}
        named = False
        opened = in_transaction
        for verb, name, tenant, local in steps:
            if verb is SessionVerb.SET:
                before = self._values.get(name)
                if (
                    before
                    and not (self._stays and before is self._committed.get(name))
                    and before[0] not in _NONE
                    and tenant not in {None, before[0]}
                ):
                    misuses[Misuse.TENANT_CHANGED] = None
                if opened and not local and tenant is not None:
                    misuses[Misuse.SET_WITHOUT_LOCAL] = None
                self._hold(name, tenant, local)
                named = named or tenant is not None
            elif verb is SessionVerb.RESET and (local or tenant):
                self._hold(name, tenant or "", local)
            elif verb is SessionVerb.PREPARE or verb is SessionVerb.EXECUTE:
                self._prepared(verb, name, sets=local)
            elif verb is SessionVerb.BEGIN:
                opened = True
            else:
                opened = opened and verb not in {SessionVerb.COMMIT, SessionVerb.ROLLBACK}
                self.undo(verb, name)
        self.in_transaction = opened
        strong = {
            value
            for name, (value, _, _) in self._values.items()
            if value and name not in WEAK_VARIABLES
        }
        if named and len(strong) > 1:
            misuses[Misuse.SOURCES_DISAGREE] = None
        self.named_in_call = (self.current() or self._last(steps)) if named else None
        return tuple(misuses)

    def _hold(self, name: str, tenant: str | None, local: bool) -> None:
        after: str | None = ""
        if local and (before := self._values.get(name)) is not None:
            after = before[2] if before[1] else before[0]
        self._values = {**self._values, name: (tenant, local, after)}

    def _prepared(self, verb: SessionVerb, name: str, *, sets: bool) -> None:
        if verb is SessionVerb.EXECUTE:
            if self._later if not name else name not in self._harmless:
                self._values = dict.fromkeys(self._order, (None, False, None))
        elif not name:
            self._later = self._later or sets
        elif sets or len(self._harmless) >= _MAX_PREPARED:
            self._harmless -= {name}
        else:
            self._harmless |= {name}

    @staticmethod
    def _last(steps: Iterable[SessionStep]) -> str | None:
        """The tenant named last in a call that has ended its own settings again."""
        return next((step.tenant for step in reversed(tuple(steps)) if step.tenant), None)

    def undo(self, verb: SessionVerb, name: str = "") -> None:
        """Do one step that sets nothing: a RESET, a savepoint, the end of a transaction."""
        if verb is SessionVerb.RESET:
            self._values = {key: held for key, held in self._values.items() if key != name}
        elif verb is SessionVerb.RESET_ALL:
            self._values = _after_reset_all(self._values, self._committed)
        elif verb is SessionVerb.SAVEPOINT:
            self._savepoints.append((name, self._values))
            del self._savepoints[:-_MAX_SAVEPOINTS]
        elif verb is SessionVerb.COMMIT:
            self._values = {
                key: (after if local else tenant, False, None)
                for key, (tenant, local, after) in self._values.items()
                if not local or after != ""
            }
            self._committed = self._values
            self._savepoints.clear()
            if self._later:
                # WITH HOLD, all of its rows are read now.
                self._later = False
                self.forget()
        elif verb is SessionVerb.ROLLBACK:
            self._values = self._committed
            self._savepoints.clear()
            # A cursor WITH HOLD of an earlier transaction has read its rows.
            self._later = False
        else:
            self._return_to(verb, name)

    def _return_to(self, verb: SessionVerb, name: str) -> None:
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index][0] == name:
                if verb is SessionVerb.ROLLBACK_TO:
                    self._values = self._savepoints[index][1]
                    del self._savepoints[index + 1 :]
                else:
                    del self._savepoints[index:]
                return
        # It is there, and was not seen.
        self._savepoints.clear()
        if verb is SessionVerb.ROLLBACK_TO:
            self._values = dict.fromkeys(self._order, (None, False, None))
