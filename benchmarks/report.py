"""The monthly statement over a large ledger: by server time, by wall time, and as it was before.

A generated ledger: 10,000 tenants, 5 operations, one file an hour and writer; and its table of
statements, as many rows: four statements that work and one that does not, by tenant and hour. The
month of 720 hours is 36 million rows a writer and as many of statements; REPORT_BENCH_HOURS chooses
another size. REPORT_BENCH_WRITERS=4 goes on to 144 million rows in the same month, which have to
cost four times the 36 million: that takes 7 GB of disk and half an hour.

The same numbers are written twice: as they are now, and in files of version 1, which had no table
of statements. Measured are

    plain sums   DuckDB's, of the same columns; they must agree
    before       the report of commit 894aea6, the last before there was server time, over the files
                 of version 1; it is taken out of the repository, and left out where there is none
    wall, old    today's report by wall time over the files of version 1
    wall         today's report by wall time
    server       today's report by server time

Each measurement is a process of its own, so that its peak memory is its own. They take turns,
forwards and backwards, REPORT_BENCH_ROUNDS times (5), with the files in the cache; the table has
the medians, and the least and the most. A multiple is the median of the rounds' own, so that both
sides met the same moments of a machine that others use too. CPU seconds stand by the clock's,
because they hold better there.

Budget for the month on two cores: 5 s and 1 GB by wall time; by server time 1.5 times the time and
memory of `before`. The files have the sums in their footers that the exporter writes;
REPORT_BENCH_PLAIN_FOOTERS=1 leaves them out. Then every format on a statement of 100,000
tenants and a bill's seven pools, 10 s each.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tenantmetrics.ledger_totals import Total, Totals, TotalsOf

TENANTS = 10_000
OPERATIONS = 5
MANY = 100_000
FORMAT_BUDGET_S = 10.0
POOLS = ("compute", "data_api", "io", "storage", "observability", "secrets", "taxes")
START_S = 1_793_491_200  # 2026-11-01 00:00 UTC
BUDGET_S, BUDGET_MB, BUDGET_TIMES = 5.0, 1024, 1.5
BEFORE = "894aea6"
"""The last commit before the report knew server time; its ledgers were of version 1."""

_TIMED = """
import sys, time
{imports}
started, cpu_started = time.perf_counter(), time.process_time()
{body}
took, cpu = time.perf_counter() - started, time.process_time() - cpu_started
with open("/proc/self/status") as status:
    peak_mb = next(int(line.split()[1]) / 1024 for line in status if "VmHWM" in line)
print(took, cpu, peak_mb, result)
"""
# Not `ru_maxrss`: on Linux a process inherits it from whoever started it.

_STATEMENT = _TIMED.format(
    imports="from decimal import Decimal\nfrom tenantmetrics.cost import Capacity, monthly",
    body="statement = monthly(sys.argv[1], month='2026-11', capacity=Capacity(acu=Decimal(8)))\n"
    "result = sum(line.usage.calls for line in statement.lines)",
)
_WALL = _STATEMENT.replace("month='2026-11',", "month='2026-11', drivers={'compute': 'wall_time'},")
_PLAIN = _TIMED.format(
    imports="import duckdb\nduckdb.sql('SET enable_progress_bar = false')",
    body=textwrap.dedent("""
        result = duckdb.sql(
            "SELECT sum(calls), sum(duration_ns), sum(billed_requests), sum(request_bytes), "
            "sum(response_bytes), sum(rows_returned), sum(rows_written), sum(lost), "
            "max(tenant), max(outcome), max(window_start)::VARCHAR "
            f"FROM read_parquet('{sys.argv[1]}/date=*/**/*.parquet', hive_partitioning=false)"
        ).fetchall()[0][0]
    """),
)


def _generate(root: Path, old: Path, hours: Sequence[int], writer: str = "bench-0") -> None:
    """Write one file an hour, in the ledger's own schema; eight different hours take turns.

    Args:
        root: Where files as today's go.
        old: Where those of version 1 go, with the same numbers.
        hours: Of the month.
        writer: Whose.
    """
    import duckdb
    import pyarrow as pa
    from pyarrow import parquet

    from tenantmetrics import ledger
    from tenantmetrics.export.ledger_parquet import parquet_writer
    from tenantmetrics.export.ledger_statements import ROWS_AT_ONCE
    from tenantmetrics.ledger_totals import OF_STATEMENTS, OF_USAGE, Totals
    from tenantmetrics.records import Window

    schema = ledger.arrow_schema()
    database = duckdb.connect()
    database.execute("SELECT setseed(0.5)").fetchall()
    tables = [
        database.sql(
            f"""
            SELECT 0 AS window_start, 3600::INT AS window_s, '{writer}' AS writer,
              0::BIGINT AS sequence,
              'tenant-' || lpad((i // {OPERATIONS})::VARCHAR, 5, '0') AS tenant,
              ['ExecuteStatement', 'BatchExecuteStatement', 'BeginTransaction',
               'CommitTransaction', 'RollbackTransaction'][i % {OPERATIONS} + 1] AS operation,
              CASE WHEN random() < 0.02 THEN 'BadRequestException' ELSE 'ok' END AS outcome,
              'session' AS source, 'arn:aws:rds:us-east-1:123456789012:cluster:shared'
              AS resource_arn, 'app' AS database, calls,
              (calls * 8e6 * (0.5 + random()))::BIGINT AS duration_ns,
              1000000::BIGINT AS duration_min_ns, 90000000::BIGINT AS duration_max_ns,
              calls * 100 AS duration_us2, 0::BIGINT AS waited_ns,
              calls AS attempts, calls * 700 AS request_bytes,
              (calls * 2000 * random())::BIGINT AS response_bytes, calls AS billed_requests,
              calls * 3 AS rows_returned, calls // 4 AS rows_written, 4::INT AS scale,
              [360, 367]::INT[] AS bucket_index, [calls - 1, 1]::BIGINT[] AS bucket_count,
              0::BIGINT AS lost
            FROM (SELECT i, (1 + random() * 5000)::BIGINT AS calls
                  FROM range({TENANTS * OPERATIONS}) t(i)) ORDER BY i
            """
        ).to_arrow_table()
        for _ in range(8)
    ]
    by_statement = ledger.arrow_schema(ledger.STATEMENT_COLUMNS)
    statements = [_statements(database, writer, by_statement.names) for _ in range(8)]
    of_usage = [_totals(database, table, OF_USAGE) for table in tables]
    of_statements = [_totals(database, table, OF_STATEMENTS) for table in statements]
    for number, hour in enumerate(hours):
        table = tables[number % len(tables)]
        start_s = START_S + hour * 3600
        moment = pa.array([start_s * 1_000_000] * table.num_rows, pa.timestamp("us", tz="UTC"))
        window = Window(start_s, 3600, writer, hour, {}, {})
        path = root / ledger.file_path(window)
        path.parent.mkdir(parents=True, exist_ok=True)
        table = table.select(schema.names).set_column(0, "window_start", moment).cast(schema)
        with path.open("wb") as file, parquet_writer(file, schema) as rows:
            rows.write_table(table)
            sums = of_usage[number % len(tables)]
            said = Totals(table.num_rows, file.tell(), start_s, 3600, writer, sums)
            _say(said, OF_USAGE, rows)
        older = old / str(ledger.file_path(window)).replace(f".v{ledger.VERSION}.", ".v1.")
        older.parent.mkdir(parents=True, exist_ok=True)
        of_old = table.drop_columns(list(ledger.columns_added(1)))
        parquet.write_table(of_old, older, compression="zstd")
        beside = root / ledger.statements_path(window)
        beside.parent.mkdir(parents=True, exist_ok=True)
        table = statements[number % len(statements)].set_column(0, "window_start", moment)
        with beside.open("wb") as file, parquet_writer(file, by_statement) as rows:
            rows.write_table(table.cast(by_statement), row_group_size=ROWS_AT_ONCE)
            sums = of_statements[number % len(statements)]
            said = Totals(table.num_rows, file.tell(), start_s, 3600, writer, sums)
            _say(said, OF_STATEMENTS, rows)


def _say(said: Totals, of: TotalsOf, rows: Any) -> None:
    """Put sums into a file's footer, as the exporter does."""
    from tenantmetrics.ledger_totals import encode

    if not os.environ.get("REPORT_BENCH_PLAIN_FOOTERS"):
        rows.add_key_value_metadata({of.key: encode(said)})


def _statements(database: Any, writer: str, names: Sequence[str]) -> Any:
    """An hour of the table of statements: overhead of 20 ms a call, and work by statement."""
    table = database.sql(
        f"""
        SELECT 0 AS window_start, 3600::INT AS window_s, '{writer}' AS writer,
          0::BIGINT AS sequence,
          'tenant-' || lpad((i // {OPERATIONS})::VARCHAR, 5, '0') AS tenant,
          'arn:aws:rds:us-east-1:123456789012:cluster:shared' AS resource_arn, 'app' AS database,
          (i % {OPERATIONS} + 1) * 1000003 AS fingerprint,
          'SELECT s' || (i % {OPERATIONS})::VARCHAR AS summary,
          CASE WHEN i % {OPERATIONS} = 0 THEN 'workless' ELSE 'work' END AS kind, calls,
          (calls * (20e6 + (i % {OPERATIONS}) * 2e6 * random()))::BIGINT AS duration_ns,
          0::BIGINT AS waited_ns,
          (calls * 20e3 * 20e3 * 1.2)::BIGINT AS duration_us2,
          calls * 700 AS request_bytes, calls * 2000 AS response_bytes,
          calls * 3 AS rows_returned, calls // 4 AS rows_written
        FROM (SELECT i, (1 + random() * 5000)::BIGINT AS calls
              FROM range({TENANTS * OPERATIONS}) t(i)) ORDER BY i
        """
    ).to_arrow_table()
    return table.select(list(names))


def _totals(database: Any, table: Any, of: TotalsOf) -> list[Total]:
    """What the exporter puts into the file's footer."""
    from tenantmetrics.cost import queries
    from tenantmetrics.ledger_totals import OF_USAGE, Total

    make = queries.usage_totals_of if of is OF_USAGE else queries.totals_of
    columns = ", ".join(("resource_arn", *of.names, *of.sums))
    database.register("rows_of_hour", table)
    rows = database.execute(f"SELECT {columns} FROM ({make('rows_of_hour')})").fetchall()
    keys = len(of.names) + 1
    return [Total(row[0], tuple(row[1:keys]), tuple(map(int, row[keys:]))) for row in rows]


class Run(NamedTuple):
    """One measurement.

    Attributes:
        took_s: By the clock.
        cpu_s: Of all threads.
        peak_mb: Resident memory.
        calls: What was summed up.
    """

    took_s: float
    cpu_s: float
    peak_mb: float
    calls: int


class Measured(NamedTuple):
    """What is measured: a script, over a ledger, by the code of a folder."""

    name: str
    script: str
    ledger: Path
    code: Path | None = None


def _runs(every: Sequence[Measured]) -> dict[str, list[Run]]:
    """The measurements by name, one a round.

    Forwards and backwards, so that none always follows the same other.
    """
    runs: dict[str, list[Run]] = {one.name: [] for one in every}
    for number in range(int(os.environ.get("REPORT_BENCH_ROUNDS", "5"))):
        for one in every if number % 2 == 0 else every[::-1]:
            environment = dict(os.environ)
            if one.code is not None:
                environment["PYTHONPATH"] = str(one.code)
            done = subprocess.run(
                [sys.executable, "-c", one.script, str(one.ledger)],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
                cwd=one.code,
            )
            took, cpu, peak, result = done.stdout.splitlines()[-1].split()
            runs[one.name].append(Run(float(took), float(cpu), float(peak), int(result)))
    return runs


def _code_before(folder: Path) -> Path | None:
    """The package as it was, without a checkout; None where the repository is not at hand."""
    here = Path(__file__).resolve().parent.parent
    try:
        packed = subprocess.run(
            ["git", "archive", BEFORE, "tenantmetrics"], cwd=here, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    return folder


def _formats() -> None:
    """Time every format on a statement of many tenants."""
    from decimal import Decimal

    from tenantmetrics.cost.statement import Line, LineKind, Period, Pool, Statement, Usage
    from tenantmetrics.report import csv, focus, html, json, terminal, xlsx

    cent = Decimal("0.01")
    lines = tuple(
        Line(
            f"tenant-{n:06}",
            LineKind.TENANT,
            Usage(n, 1, n * 10**6, n, n, n, n, n),
            tuple(cent * (n * (i + 3) % 997) for i in range(len(POOLS))),
        )
        for n in range(MANY)
    )
    pools = tuple(
        Pool(name, name, sum((line.amounts[i] for line in lines), Decimal(0)), "share", "detail")
        for i, name in enumerate(POOLS)
    )
    period = Period("2026-11", START_S, START_S + 30 * 86_400)
    statement = Statement(period, "USD", cent, "", True, pools, lines)
    print(f"\n{MANY:,} tenants, {len(POOLS)} pools, budget {FORMAT_BUDGET_S:.0f} s a format")
    for make in (
        terminal.as_text, csv.as_csv, html.as_html, json.as_json, focus.as_focus, xlsx.as_workbook
    ):  # fmt: skip
        started, cpu_started = time.perf_counter(), time.process_time()
        size = len(make(statement))
        took, cpu = time.perf_counter() - started, time.process_time() - cpu_started
        name = make.__module__.rpartition(".")[2]
        print(f"{name:>10} {took:>6.2f} s {cpu:>6.2f} CPU s {size / 1e6:>8.2f} MB")


def main() -> None:
    """Print the tables."""
    most = int(os.environ.get("REPORT_BENCH_HOURS", "720"))
    writers = int(os.environ.get("REPORT_BENCH_WRITERS", "1"))
    print(
        f"budget at 720 hours: {BUDGET_S:.0f} s and {BUDGET_MB} MB by wall time, "
        f"{BUDGET_TIMES} x before by server time"
    )
    tenth = max(1, most // 10)
    # What is added, one step after the other: some hours of one writer, then whole writers.
    steps = [("bench-0", range(tenth)), ("bench-0", range(tenth, most))]
    steps += [(f"bench-{number}", range(most)) for number in range(1, writers)]
    with tempfile.TemporaryDirectory() as folder:
        new, old, code = (Path(folder, name) for name in ("new", "old", "code"))
        before = _code_before(code)
        if before is None:
            print(f"commit {BEFORE} is not in a repository here: the report before is not measured")
        rows = 0
        for number, (writer, hours) in enumerate(steps, start=1):
            _generate(new, old, hours, writer)
            rows += len(hours) * TENANTS * OPERATIONS
            if number in {1, 2, len(steps)}:
                _measure(new, old, before, rows)
    _formats()


def _measure(new: Path, old: Path, before: Path | None, rows: int) -> None:
    """Print the table of one size."""
    every = [
        Measured("plain sums", _PLAIN, new),
        Measured("wall, old", _WALL, old),
        Measured("wall", _WALL, new),
        Measured("server", _STATEMENT, new),
    ]
    if before is not None:
        every.insert(1, Measured("before", _STATEMENT, old, before))
    runs = _runs(every)
    if len({run.calls for of in runs.values() for run in of}) != 1:
        sys.exit(f"the sums differ: { {name: of[0].calls for name, of in runs.items()} }")
    rounds = len(runs["server"])
    print(
        f"\n{rows:,} rows; median (least to most) of {rounds} rounds\n"
        f"{'':>10} {'time, s':>24} {'CPU, s':>24} {'peak, MB':>18} {'CPU ns a row':>13}"
    )
    for name, of in runs.items():
        print(
            f"{name:>10} {_spread(of, lambda run: run.took_s, 2):>24} "
            f"{_spread(of, lambda run: run.cpu_s, 2):>24} "
            f"{_spread(of, lambda run: run.peak_mb, 0):>18} "
            f"{median(run.cpu_s for run in of) / rows * 1e9:>13.0f}"
        )
    print("multiples, round by round")
    for name, other in (
        ("server", "before"), ("wall", "before"), ("wall, old", "before"),
        ("server", "wall"), ("server", "plain sums"), ("wall", "plain sums"),
    ):  # fmt: skip
        if other not in runs:
            continue
        pairs = [
            Run(a.took_s / b.took_s, a.cpu_s / b.cpu_s, a.peak_mb / b.peak_mb, 0)
            for a, b in zip(runs[name], runs[other], strict=True)
        ]
        print(
            f"{name:>10} / {other:<10} {_spread(pairs, lambda run: run.took_s, 2):>19} time "
            f"{_spread(pairs, lambda run: run.cpu_s, 2):>19} CPU "
            f"{_spread(pairs, lambda run: run.peak_mb, 2):>19} memory",
            flush=True,
        )


def _spread(runs: Sequence[Run], of: Callable[[Run], float], digits: int) -> str:
    """Median, least and most."""
    found = [of(run) for run in runs]
    return f"{median(found):.{digits}f} ({min(found):.{digits}f} to {max(found):.{digits}f})"
