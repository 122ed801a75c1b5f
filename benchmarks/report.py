"""The monthly statement over a large ledger, beside DuckDB's plain sums of the same columns.

A generated ledger: 10,000 tenants, 5 operations, one file an hour and writer; and its table of
statements, as many rows: four statements that work and one that does not, by tenant and hour. Each
measurement is a process of its own, so that its peak memory is its own; they take turns, the best
of three counts, with the files in the cache. The month of 720 hours is 36 million rows a writer and
as many of statements; REPORT_BENCH_HOURS chooses another size. REPORT_BENCH_WRITERS=4 goes on to
144 million rows in the same month, which have to cost four times the 36 million: that takes 4 GB of
disk and ten minutes.

Budget for the month on two cores: 5 s and 1 GB where compute is divided by wall time, 15 s and 1 GB
where it is divided by server time, which reads the table of statements too; `its multiple` says how
many times what the former takes the latter does, `of before` how many times what the report took
before there were statements: 1.5 times as much is the goal. The files of statements have
the sums in their footers that the exporter writes; REPORT_BENCH_PLAIN_FOOTERS=1 leaves them out.
CPU seconds stand by the clock's, because they hold on a machine that is busy with other things.
Then every format on a statement of 100,000 tenants and a bill's seven pools, 10 s each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenantmetrics.ledger_totals import StatementTotal

TENANTS = 10_000
OPERATIONS = 5
MANY = 100_000
FORMAT_BUDGET_S = 10.0
POOLS = ("compute", "data_api", "io", "storage", "observability", "secrets", "taxes")
START_S = 1_793_491_200  # 2026-11-01 00:00 UTC
BUDGET_S, BUDGET_MB, BUDGET_TIMES = 5.0, 1024, 4.0
BEFORE = 1.06
"""CPU seconds of the report before there were statements (894aea6), as a multiple of those by wall
time on 2026-11-29: medians of eight runs in turns, on 7.2 million of these rows. To be measured
again when the report by wall time becomes faster or slower."""

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


def _generate(root: Path, hours: Sequence[int], writer: str = "bench-0") -> None:
    """Write one file an hour, in the ledger's own schema; eight different hours take turns."""
    import duckdb
    import pyarrow as pa
    from pyarrow import parquet

    from tenantmetrics import ledger
    from tenantmetrics.export.ledger_statements import ROWS_AT_ONCE, parquet_writer
    from tenantmetrics.ledger_totals import KEY, Totals, encode
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
    totals = [_totals(database, table) for table in statements]
    for number, hour in enumerate(hours):
        table = tables[number % len(tables)]
        start_s = START_S + hour * 3600
        moment = pa.array([start_s * 1_000_000] * table.num_rows, pa.timestamp("us", tz="UTC"))
        window = Window(start_s, 3600, writer, hour, {}, {})
        path = root / ledger.file_path(window)
        path.parent.mkdir(parents=True, exist_ok=True)
        table = table.select(schema.names).set_column(0, "window_start", moment).cast(schema)
        parquet.write_table(table, path, compression="zstd")
        beside = root / ledger.statements_path(window)
        beside.parent.mkdir(parents=True, exist_ok=True)
        table = statements[number % len(statements)].set_column(0, "window_start", moment)
        with beside.open("wb") as file, parquet_writer(file) as rows:
            rows.write_table(table.cast(by_statement), row_group_size=ROWS_AT_ONCE)
            if not os.environ.get("REPORT_BENCH_PLAIN_FOOTERS"):
                sums = totals[number % len(totals)]
                said = Totals(table.num_rows, file.tell(), start_s, 3600, writer, sums)
                rows.add_key_value_metadata({KEY: encode(said)})


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


def _totals(database: Any, table: Any) -> list[StatementTotal]:
    """What the exporter puts into the file's footer."""
    from tenantmetrics.cost import queries
    from tenantmetrics.ledger_totals import SUMS, StatementTotal

    database.register(queries.STATEMENTS, table)
    columns = ", ".join(("resource_arn", "fingerprint", "kind", *SUMS))
    sums = queries.totals_of(queries.STATEMENTS)
    rows = database.execute(f"SELECT {columns} FROM ({sums})").fetchall()
    return [
        StatementTotal(arn, fingerprint, kind, tuple(numbers))
        for arn, fingerprint, kind, *numbers in rows
    ]


def _best(scripts: Sequence[str], root: Path) -> list[tuple[float, float, float, int]]:
    """Of each script, seconds, CPU seconds, peak MB and the sum of calls of the best of three.

    In turns, so that all meet the same moments of a machine that others use too.
    """
    runs: list[list[tuple[float, float, float, int]]] = [[] for _ in scripts]
    for _ in range(3):
        for script, of_script in zip(scripts, runs, strict=True):
            done = subprocess.run(
                [sys.executable, "-c", script, str(root)],
                capture_output=True,
                text=True,
                check=True,
            )
            took, cpu, peak, result = done.stdout.splitlines()[-1].split()
            of_script.append((float(took), float(cpu), float(peak), int(result)))
    return [(min(run[0] for run in of), min(run[1] for run in of), *min(of)[2:]) for of in runs]


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
        f"budget at 720 hours: {BUDGET_S:.0f} s, {BUDGET_MB} MB, {BUDGET_TIMES:.0f} x plain sums\n"
    )
    print(
        f"{'rows':>12} {'plain sums':>11} {'CPU':>8} {'statement':>10} {'CPU':>8} {'times':>6} "
        f"{'CPU':>6} {'ns a row':>9} {'peak MB':>8}"
    )
    tenth = max(1, most // 10)
    # What is added, one step after the other: some hours of one writer, then whole writers.
    steps = [("bench-0", range(tenth)), ("bench-0", range(tenth, most))]
    steps += [(f"bench-{number}", range(most)) for number in range(1, writers)]
    with tempfile.TemporaryDirectory() as folder:
        rows = 0
        for number, (writer, hours) in enumerate(steps, start=1):
            _generate(Path(folder), hours, writer)
            rows += len(hours) * TENANTS * OPERATIONS
            if number in {1, 2, len(steps)}:
                _measure(Path(folder), rows)
    _formats()


def _measure(folder: Path, rows: int) -> None:
    """Print a line of the table."""
    found = _best((_PLAIN, _WALL, _STATEMENT), folder)
    (plain_s, plain_cpu_s, _, plain), (wall_s, wall_cpu_s, wall_mb, _), (*took, calls) = found
    took_s, cpu_s, peak_mb = took
    if plain != calls:
        sys.exit(f"the sums differ: {plain} and {calls}")
    print(
        f"{rows:>12,} {plain_s:>9.2f} s {plain_cpu_s:>6.2f} s {took_s:>8.2f} s {cpu_s:>6.2f} s "
        f"{took_s / plain_s:>6.2f} {cpu_s / plain_cpu_s:>6.2f} {cpu_s / rows * 1e9:>9.0f} "
        f"{peak_mb:>8.0f}\n{'by wall time':>12} {wall_s:>30.2f} s {wall_cpu_s:>6.2f} s "
        f"{wall_s / plain_s:>6.2f} {wall_cpu_s / plain_cpu_s:>6.2f} "
        f"{wall_cpu_s / rows * 1e9:>9.0f} {wall_mb:>8.0f}\n{'its multiple':>12} "
        f"{took_s / wall_s:>30.2f}   {cpu_s / wall_cpu_s:>6.2f} {'':>25} {peak_mb / wall_mb:>8.2f}"
        f"\n{'of before':>12} {'':>30}   {cpu_s / wall_cpu_s / BEFORE:>6.2f}",
        flush=True,
    )
