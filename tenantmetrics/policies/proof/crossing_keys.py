"""Keys that cross tenants: a row that points at another tenant's, a value that another one has."""

from __future__ import annotations

from tenantmetrics.policies.catalogue import ForeignKey, Index
from tenantmetrics.policies.proof.row import inserting
from tenantmetrics.policies.proof.seeds import A, B
from tenantmetrics.policies.proof.trial import REFUSED, Trial
from tenantmetrics.policies.proof.verdict import Verdict

__all__ = ["collide", "point"]


def point(trial: Trial, key: ForeignKey) -> tuple[Verdict, str]:
    """A row of A's that points at a row of B's."""
    parent = trial.scope.catalogue.tables[key.parent]
    theirs = trial.seeds.rows.get((parent.oid, B))
    if theirs is None:
        return Verdict.UNPROVED, f"{parent.sql} has no row of another tenant's"
    values = trial.seeds.values(trial.table, A)
    for ours, name in zip(key.columns, key.parent_columns, strict=True):
        value = theirs.known.get(name)
        if value is None:
            return Verdict.UNPROVED, "the parent's key is not known"
        values[ours] = value
    sql, parameters = inserting(trial.table, trial.permitted(values))

    def work() -> int:
        trial.session.become(trial.a.tenant, application=True)
        trial.session.connection.rows("SET CONSTRAINTS ALL IMMEDIATE")
        return trial.session.connection.count(sql, parameters)

    done = trial.session.undone(work)
    if done.sqlstate in {"", "23505"}:
        return Verdict.LEAK, f"a row can point at another tenant's in {parent.sql}"
    if done.sqlstate in {REFUSED, "23503"}:
        return Verdict.ISOLATED, ""
    return Verdict.UNPROVED, f"SQLSTATE {done.sqlstate}"


def collide(trial: Trial, index: Index) -> tuple[Verdict, str]:
    """A row of A's with a key of B's."""
    values = trial.seeds.values(trial.table, A)
    for name in index.columns:
        if name is not None and (value := trial.b.known.get(name)) is not None:
            values[name] = value
    done = trial.as_a(*inserting(trial.table, trial.permitted(values)))
    if done.sqlstate == "23505":
        return Verdict.LEAK, "a tenant learns whether another tenant has the value"
    return Verdict.ISOLATED, ""
