"""What a statement says of its tenant, before its literals and parameters are known.

A plan is made once of a statement's skeleton. Its node tells whose rows the statement touches, its
steps what it does to its session; both are filled with the values of each call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tenantmetrics.records import Misuse, SessionVerb
from tenantmetrics.tenant.sql.closed_tables import Closed
from tenantmetrics.tenant.sql.evaluate_parameters import Computed
from tenantmetrics.tenant.sql.literals import SLOT_NAME, Literals
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.restrictions import (
    CLEAR,
    Also,
    Either,
    Guarded,
    Joined,
    Named,
    Restriction,
    Same,
    Shared,
)
from tenantmetrics.tenant.sql.row_shares import MixedRows, ParameterRows, Rows, SlotRows

__all__ = ["Plan", "StepPlan", "operands_of", "parameters_of"]


class StepPlan(NamedTuple):
    """A `SessionStep` before its values are known.

    Attributes:
        verb: What happens.
        name: The variable, or what tells its name (`set_config(:name, …)`).
        value: What tells the tenant; None where it is not known.
        local: Whether it ends with the transaction, or what tells so.
        body: The text of a DO block, which may set whatever variable it mentions.
        unordered: Whether it is not known which is done first, it or another such one of the
            statement.
    """

    verb: SessionVerb
    name: str | Operand = ""
    value: Operand | None = None
    local: bool | Operand = False
    body: Operand | None = None
    unordered: bool = False


class Plan(NamedTuple):
    """All that a skeleton says. A frozen dataclass of so many fields would take 2 µs to make.

    Attributes:
        summary: OpenTelemetry's `db.query.summary`.
        node: Whose rows it touches.
        steps: What it does to its session.
        tables: QueryScope of the tables it touches, lower case, without their schema.
        schemas: The tenants that its tables' schemas name.
        mentions: Whether a tenant column occurs anywhere.
        confirms: Whether it compares with the session's own tenant.
        sets_only: Whether all it does is setting session variables.
        misuses: What the text alone shows.
        fingerprint: `sqltext.fingerprint` of it; 0 where it has none.
        workless: Whether running it is free in the database, whatever its values are.
        probes: Whether it is what drivers, pools and health checks ask: it touches no rows, and
            shows constants, shows or sets the session, or asks the server about itself.
        guarded: Whether row-level security guards all tables that it touches, as far as the schema
            tells, or they hold nobody's rows, such as PostgreSQL's own.
        untold: Whether it touches rows of which its text does not tell whose they are, though it
            names nobody, as TRUNCATE: beside other statements nobody is named then.
        why: For `explain`: what was not understood, and why.
    """

    summary: str = ""
    node: Restriction = CLEAR
    steps: tuple[StepPlan, ...] = ()
    tables: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    mentions: bool = False
    confirms: bool = False
    sets_only: bool = False
    misuses: tuple[Misuse, ...] = ()
    fingerprint: int = 0
    workless: bool = False
    probes: bool = False
    guarded: bool = False
    untold: bool = False
    why: str = ""


_NODES = (Named, Rows, Either, Guarded, Same, Joined, Also, Closed, Computed)
"""Every field of these is one of them, an operand, a tuple of them, or a word."""
_LEAVES = (Operand, SlotRows, ParameterRows, MixedRows)


def operands_of(plan: Plan) -> list[Operand]:
    """The values that can change what a plan finds, in no particular order.

    Args:
        plan: The plan.
    """
    found: list[Operand] = []
    for part in _leaves(plan):
        found += [part] if isinstance(part, Operand) else part.operands()
    return found


def parameters_of(plan: Plan, literals: Literals) -> frozenset[str]:
    """The parameters that can change what a plan finds.

    Args:
        plan: The plan.
        literals: Those of the text, which has the names of parameters in long lists.
    """
    names: set[str] = set()
    for part in _leaves(plan):
        if isinstance(part, ParameterRows):
            names.update(part.names)
        elif isinstance(part, MixedRows):
            names.update(part.parameters.names)
        elif isinstance(part, Operand):
            if part.parameter is not None:
                names.add(part.parameter)
            elif part.last is not None and part.slot is not None:
                names.update(literals.lists.get(part.slot, ()))
    # A literal's name comes before every parameter's.
    if min(names, default="").startswith(SLOT_NAME):
        names = {name for name in names if not name.startswith(SLOT_NAME)}
    return frozenset(names)


def _leaves(plan: Plan) -> Iterator[Operand | SlotRows | ParameterRows | MixedRows]:
    """What a plan reads values by."""
    todo: list[Any] = [plan.node, *plan.steps]
    seen: set[int] = set()
    while todo:
        part = todo.pop()
        kind = _kind_of[type(part)]
        if kind is _LEAF:
            yield part
        elif kind is tuple:
            todo.extend(part)
        elif kind is Shared:
            if id(part) not in seen:
                seen.add(id(part))
                todo.append(part.node)
        elif kind is not None:
            todo.extend([getattr(part, name) for name in kind])


_LEAF = object()


class _Kinds(dict[type, Any]):
    """What a part of a plan is, by its type: the names of its parts, if it has some."""

    def __missing__(self, part: type) -> Any:
        kind: Any = None
        for one in (Shared, tuple):
            if issubclass(part, one):
                kind = one
        if issubclass(part, _LEAVES):
            kind = _LEAF
        elif kind is None and issubclass(part, _NODES):
            kind = part.__slots__
        self[part] = kind
        return kind


_kind_of = _Kinds()
