"""COPY, in both directions."""

from __future__ import annotations

from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.seeds import B
from tenantmetrics.policies.proof.trial import Trial
from tenantmetrics.policies.proof.verdict import Verdict

__all__ = ["copy"]


def copy(trial: Trial, selected: Verdict) -> tuple[Verdict, str]:
    """COPY TO and COPY FROM.

    Args:
        trial: The table.
        selected: What SELECT's verdict is.
    """
    connection = trial.session.connection
    if not connection.copies:
        return Verdict.NOT_THERE, "the Data API has no COPY"
    if selected is Verdict.LEAK:
        return Verdict.LEAK, "COPY TO gives another tenant's rows, as SELECT does"
    if trial.column in trial.rights.select:
        wanted = _copied(trial.b.tenant)

        def out() -> bool:
            trial.session.become(trial.a.tenant, application=True)
            sql = f"COPY {trial.table.sql} ({quoted(trial.column or '')}) TO STDOUT"
            if trial.table.kind == "p":
                sql = f"COPY (SELECT {quoted(trial.column or '')} FROM {trial.table.sql}) TO STDOUT"  # noqa: S608
            data = b"".join(connection.copy(sql))
            return wanted in data.split(b"\n")

        if trial.session.undone(out).value:
            return Verdict.LEAK, "COPY TO gives another tenant's rows"
    return _copied_in(trial)


def _copied_in(trial: Trial) -> tuple[Verdict, str]:
    """COPY FROM; it is refused as a whole where row-level security holds."""
    connection = trial.session.connection
    row = trial.permitted(trial.seeds.values(trial.table, B))
    if not trial.rights.insert or not row:
        return Verdict.ISOLATED, ""
    names = ", ".join(quoted(name) for name in row)
    line = b"\t".join(_copied(value) for value in row.values()) + b"\n"

    def into() -> tuple[int, int]:
        trial.session.become(trial.a.tenant, application=True)
        for _ in connection.copy(f"COPY {trial.table.sql} ({names}) FROM STDIN", line):
            pass
        return 1, trial.seen_of_b()

    done = trial.session.undone(into)
    if done.sqlstate == "0A000":
        return Verdict.ISOLATED, ""
    return trial.written(done, "COPY FROM inserts rows of another tenant's")


def _copied(value: str) -> bytes:
    """A value as COPY's text format has it."""
    escaped = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return escaped.replace("\r", "\\r").encode()
