"""UPDATE and DELETE of another tenant's rows, with WHERE and without."""

from __future__ import annotations

from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.hinted_rows import hinted
from tenantmetrics.policies.proof.row import Row
from tenantmetrics.policies.proof.seeds import B
from tenantmetrics.policies.proof.session import Attempt
from tenantmetrics.policies.proof.trial import KEYS, REFUSED, Trial
from tenantmetrics.policies.proof.verdict import Verdict

__all__ = ["delete", "update"]

_BLANKET_ROWS = 100_000
"""A statement without WHERE locks every row that it meets: not on tables above this."""


def update(trial: Trial) -> tuple[Verdict, str]:
    """Change B's rows, take them, give A's to B."""
    setting = trial.setting()
    where, values = trial.where(trial.b, "w")
    if setting is not None:
        done = trial.as_a(f"UPDATE {trial.table.sql} SET {setting} WHERE {where}", values)  # noqa: S608
        if done.sqlstate in KEYS or (done.value and done.value[0]):
            return Verdict.LEAK, "another tenant's rows can be changed"
    apart = any(p.with_check and p.with_check != p.using for p in trial.table.policies)
    if (apart or _by_command(trial, "w")) and (found := _blanket(trial, "UPDATE")) is not None:
        return found
    if trial.column is None or trial.column not in trial.rights.update:
        return Verdict.ISOLATED, ""
    for row, to, says in (
        (trial.b, trial.a, "another tenant's rows can be taken"),
        (trial.a, trial.b, "a row can be given to another tenant"),
    ):
        for hints in _hints(trial):
            verdict, why = trial.written(_given(trial, row, to, hints), says)
            if verdict is not Verdict.ISOLATED:
                return verdict, why
    return Verdict.ISOLATED, ""


def delete(trial: Trial) -> tuple[Verdict, str]:
    """Delete B's rows."""
    where, values = trial.where(trial.b, "w")
    done = trial.as_a(f"DELETE FROM {trial.table.sql} WHERE {where}", values)  # noqa: S608
    if done.sqlstate in KEYS or (done.value and done.value[0]):
        return Verdict.LEAK, "another tenant's rows can be deleted"
    if _by_command(trial, "d") and (found := _blanket(trial, "DELETE")) is not None:
        return found
    if done.sqlstate not in {"", REFUSED}:
        return Verdict.UNPROVED, f"SQLSTATE {done.sqlstate}"
    return Verdict.ISOLATED, ""


def _hints(trial: Trial) -> list[dict[str, str]]:
    """Values of other columns to set along: none, and those that the policies name."""
    given = trial.a.given
    row = hinted(trial.seeds, trial.table, B)
    more = {name: value for name, value in row.items() if name not in given}
    return [{}, more] if more else [{}]


def _given(trial: Trial, row: Row, to: Row, hints: dict[str, str]) -> Attempt:
    """Give a row to another tenant."""
    sql, values = _all_to(trial, to, hints)
    where, more = trial.where(row, "w")
    return trial.as_a(f"{sql} WHERE {where}", values | more)


def _by_command(trial: Trial, command: str) -> bool:
    """Whether reading and writing have policies of their own, so that WHERE matters."""
    return any(policy.command in {"r", command} for policy in trial.table.policies)


def _blanket(trial: Trial, verb: str) -> tuple[Verdict, str] | None:
    """A statement that reads no column: policies for SELECT are not asked."""
    count = f"SELECT count(*) FROM (SELECT FROM {trial.table.sql} LIMIT {_BLANKET_ROWS + 1}) q"  # noqa: S608
    rows = trial.session.undone(lambda: trial.session.connection.rows(count)[0][0]).value
    if rows is None or rows > _BLANKET_ROWS:
        return Verdict.UNPROVED, f"{verb} without WHERE was not tried: the table is large"
    tries: list[tuple[str, dict[str, str]]] = []
    if verb == "DELETE":
        tries.append((f"DELETE FROM {trial.table.sql}", {}))  # noqa: S608 - a quoted name
    elif trial.column in trial.rights.update:
        tries += [_all_to(trial, trial.a, {}), *(_all_to(trial, trial.b, h) for h in _hints(trial))]
    for sql, values in tries:
        done = trial.as_a(sql, values)
        if done.sqlstate in KEYS or (done.value and done.value[1] != trial.before):
            return Verdict.LEAK, f"{verb} without WHERE reaches another tenant's rows"
    return None


def _all_to(trial: Trial, to: Row, hints: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Give every row that can be changed to a tenant."""
    sets = _sets(trial, to, hints)
    parts = ", ".join(
        f"{quoted(name)} = CAST(CAST(:n{n} AS text) AS {trial.table.columns[name].type})"
        for n, name in enumerate(sets)
    )
    values = {f"n{n}": value for n, value in enumerate(sets.values())}
    return f"UPDATE {trial.table.sql} SET {parts}", values  # noqa: S608 - quoted names


def _sets(trial: Trial, to: Row, hints: dict[str, str]) -> dict[str, str]:
    """What makes a row a tenant's: with the column go the keys that point at what is its."""
    pointing = trial.table.pointing
    new = {
        name: value
        for name, value in to.given.items()
        if name in pointing and name in trial.rights.update
    }
    new |= {name: value for name, value in hints.items() if name in trial.rights.update}
    return new | ({trial.column: to.tenant} if trial.column is not None else {})
