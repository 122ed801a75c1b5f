"""INSERT, INSERT … ON CONFLICT and MERGE: rows that are written for another tenant."""

from __future__ import annotations

from tenantmetrics.policies.catalogue import Index
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.row import inserting
from tenantmetrics.policies.proof.seeds import A, B
from tenantmetrics.policies.proof.trial import KEYS, REFUSED, Trial
from tenantmetrics.policies.proof.verdict import Verdict

__all__ = ["insert", "merge", "upsert"]

_MERGE_SINCE = 15


def insert(trial: Trial) -> tuple[Verdict, str]:
    """Insert a row of B's."""
    verdict, why = Verdict.ISOLATED, ""
    for row in trial.rows_for_b():
        verdict, why = trial.written(
            trial.as_a(*inserting(trial.table, row)), "a row of another tenant's can be inserted"
        )
        if verdict is not Verdict.ISOLATED:
            return verdict, why
    if not any(policy.with_check for policy in trial.table.policies):
        why = "no policy has a WITH CHECK: USING stands in for it"
    return verdict, why


def _arbiters(trial: Trial) -> list[Index]:
    """Unique keys that ON CONFLICT can name, those without the tenant first."""
    found = [
        index
        for index in trial.table.indexes
        if index.unique and index.valid and not index.partial and None not in index.columns
    ]
    return sorted(found, key=lambda index: trial.column in index.columns)


def upsert(trial: Trial) -> tuple[Verdict, str]:
    """Meet B's row by a unique key."""
    setting = trial.setting()
    arbiters = _arbiters(trial)
    if not arbiters or setting is None:
        return Verdict.NOT_THERE, "no unique key"
    index = arbiters[0]
    keys = [name for name in index.columns if name is not None]
    shared = trial.column is not None and trial.column not in keys
    # With a key of all tenants', B's row is met by a row of A's; else by one of B's own.
    values = trial.seeds.values(trial.table, A if shared else B)
    values |= {name: value for name in keys if (value := trial.b.known.get(name)) is not None}
    target = trial.column if shared and trial.column in trial.rights.update else None
    change = (
        f"{quoted(target)} = EXCLUDED.{quoted(target)}"
        if target
        else setting.replace(" = ", f" = {trial.table.sql}.", 1)
    )
    sql, parameters = inserting(trial.table, trial.permitted(values))
    names = ", ".join(quoted(name) for name in keys)
    done = trial.as_a(f"{sql} ON CONFLICT ({names}) DO UPDATE SET {change}", parameters)
    if done.sqlstate == REFUSED:
        return Verdict.ISOLATED, ""
    if done.sqlstate:
        return Verdict.UNPROVED, f"SQLSTATE {done.sqlstate}"
    if done.value[0] and (target is None or done.value[1] != trial.before):
        return Verdict.LEAK, "ON CONFLICT DO UPDATE changes another tenant's row"
    return Verdict.ISOLATED, ""


def merge(trial: Trial) -> tuple[Verdict, str]:
    """Change, delete and insert rows of B's."""
    if trial.scope.catalogue.version < _MERGE_SINCE:
        return Verdict.NOT_THERE, "it needs PostgreSQL 15"
    where, values = trial.where(trial.b, "w")
    head = (
        f"MERGE INTO {trial.table.sql} USING (SELECT 1 AS tenantmetrics_one) tenantmetrics_s"
        f" ON {where}"
    )
    setting = trial.setting()
    tries: list[tuple[str, dict[str, str], str]] = []
    if setting is not None:
        left, _, _ = setting.partition(" = ")
        change = f"{left} = {trial.table.sql}.{left}"
        words = f"{head} WHEN MATCHED THEN UPDATE SET {change}"
        tries.append((words, values, "MERGE changes another tenant's row"))
    if trial.rights.delete:
        words = f"{head} WHEN MATCHED THEN DELETE"
        tries.append((words, values, "MERGE deletes another tenant's row"))
    for row in trial.rows_for_b() if trial.rights.insert else ():
        sql, more = inserting(trial.table, row)
        _, _, rest = sql.partition(f"INSERT INTO {trial.table.sql} ")
        words = f"{head} AND false WHEN NOT MATCHED THEN INSERT {rest}"
        tries.append((words, values | more, "MERGE inserts a row of another tenant's"))
    states = set()
    for words, parameters, says in tries:
        done = trial.as_a(words, parameters)
        if done.sqlstate in KEYS or (
            done.value and done.value[0] and (done.value[1] != trial.before or "changes" in says)
        ):
            return Verdict.LEAK, says
        states.add(done.sqlstate)
    wrong = sorted(states - {"", REFUSED})
    if wrong:
        return Verdict.UNPROVED, f"SQLSTATE {wrong[0]}"
    return Verdict.ISOLATED, ""
