"""Every operation on a table, as one tenant, at another tenant's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.changes import delete, update
from tenantmetrics.policies.proof.copies import copy
from tenantmetrics.policies.proof.crossing_keys import collide, point
from tenantmetrics.policies.proof.inserts import insert, merge, upsert
from tenantmetrics.policies.proof.trial import REFUSED, Trial
from tenantmetrics.policies.proof.verdict import Proved, Verdict
from tenantmetrics.policies.rules.keys import crosses, without_tenant

__all__ = ["probes"]


def probes(trial: Trial) -> Iterator[Proved]:
    """Every operation.

    Args:
        trial: Of a table that has a row of each tenant.
    """
    select = _proved(trial, "SELECT", bool(trial.rights.select), _select)
    yield select
    yield _proved(trial, "INSERT", bool(trial.rights.insert), insert)
    yield _proved(trial, "UPDATE", bool(trial.rights.update), update)
    yield _proved(trial, "DELETE", trial.rights.delete, delete)
    may_upsert = bool(trial.rights.insert and trial.rights.update)
    yield _proved(trial, "UPSERT", may_upsert, upsert)
    may_merge = bool(trial.rights.select) and bool(
        trial.rights.insert or trial.rights.update or trial.rights.delete
    )
    yield _proved(trial, "MERGE", may_merge, merge)
    yield _proved(trial, "TRUNCATE", trial.rights.truncate, _truncate)
    may_copy = bool(trial.rights.select or trial.rights.insert)
    yield _proved(trial, "COPY", may_copy, partial(copy, selected=select.verdict))
    if not trial.rights.insert:
        return
    for key in trial.table.foreign_keys:
        if crosses(trial.scope, trial.table, key):
            title = f"FOREIGN KEY {quoted(key.name)}"
            yield _proved(trial, title, True, partial(point, key=key))
    for index in trial.table.indexes:
        if without_tenant(trial.scope, trial.table, index):
            title = f"UNIQUE {quoted(index.constraint or index.name)}"
            yield _proved(trial, title, True, partial(collide, index=index))


def _proved(
    trial: Trial, operation: str, allowed: bool, probe: Callable[[Trial], tuple[Verdict, str]]
) -> Proved:
    verdict, why = probe(trial) if allowed else (Verdict.DENIED, "")
    return Proved(trial.table.sql, operation, verdict, why)


def _select(trial: Trial) -> tuple[Verdict, str]:
    others, values = trial.where(trial.b, "b")
    own, more = trial.where(trial.a, "a")
    sql = (
        f"SELECT count(*) FILTER (WHERE {others}), count(*) FILTER (WHERE {own})"  # noqa: S608
        f" FROM {trial.table.sql} WHERE {others} OR {own}"
    )
    found = []
    for tenant in (trial.a.tenant, ""):

        def count(tenant: str = tenant) -> list[int]:
            trial.session.become(tenant, application=True)
            return trial.session.connection.rows(sql, values | more)[0]

        found.append(trial.session.undone(count))
    seen, unset = found
    if seen.sqlstate == REFUSED:
        return Verdict.UNPROVED, "the tenant column may not be read"
    if seen.sqlstate:
        return Verdict.UNPROVED, f"SQLSTATE {seen.sqlstate}"
    if seen.value[0]:
        return Verdict.LEAK, "another tenant's rows are seen"
    if any(unset.value or ()):
        return Verdict.LEAK, "rows are seen where no tenant is set"
    if not seen.value[1]:
        return Verdict.ISOLATED, "the tenant does not see its own row either"
    return Verdict.ISOLATED, ""


def _truncate(_trial: Trial) -> tuple[Verdict, str]:
    # Not tried: it would lock the table for everybody. No policy is asked, by the manual.
    return Verdict.LEAK, "TRUNCATE removes every tenant's rows: no policy is asked"
