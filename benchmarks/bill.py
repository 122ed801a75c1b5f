"""A bill of millions of rows as CSV, beside DuckDB's plain sum of its amounts.

A generated CUR of 24 columns (BILL_BENCH_ROWS, 3 million: 1.3 GB) as one file, then in three parts,
which are compared with each other for charges that both hold. Each measurement is a process of its
own, so that its peak memory is its own; the best of three counts. CPU seconds stand by the clock's,
because they hold on a machine that is busy with other things.

Reading took one pass a check and a table of every charge's identity before; since it takes one pass
and eight bytes a charge, three parts take 0.54 times the processor time and half the memory.
`BEFORE` has what it took then, in plain sums of the same file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PARTS = 3
BEFORE = {"one file": 6.4, "in 3 parts": 8.1}
"""CPU seconds of the reading before, as a multiple of the plain sum's."""

_TIMED = """
import resource, sys, time
{imports}
started, cpu_started = time.perf_counter(), time.process_time()
{body}
took, cpu = time.perf_counter() - started, time.process_time() - cpu_started
print(took, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, result)
"""
# RUSAGE_SELF of a Linux process is in KB.

_BILL = _TIMED.format(
    imports="from tenantmetrics.cost.bill import load\n"
    "from tenantmetrics.cost.period import parse_month\nimport duckdb",
    body="result = load(sys.argv[1:], parse_month('2026-11')).total",
)
_PLAIN = _TIMED.format(
    imports="import duckdb\nduckdb.sql('SET enable_progress_bar = false')",
    body="result = duckdb.sql('SELECT sum(line_item_unblended_cost::DECIMAL(38, 18)) FROM '\n"
    "  f'read_csv({sys.argv[1:]}, all_varchar=true)').fetchall()[0][0]",
)


def _generate(path: Path, rows: range) -> None:
    """Charges of hours of a month: two of five are of Aurora, on seven clusters."""
    import duckdb

    database = duckdb.connect()
    database.execute("SET enable_progress_bar = false").fetchall()
    database.execute(
        f"""
        COPY (
          SELECT 'id' || i AS identity_line_item_id, '2026-11' AS identity_time_interval,
            'inv1' AS bill_invoice_id, 'Anniversary' AS bill_bill_type,
            '123456789012' AS bill_payer_account_id,
            '2026-11-01T00:00:00.000Z' AS bill_billing_period_start_date,
            '2026-12-01T00:00:00.000Z' AS bill_billing_period_end_date,
            '123456789012' AS line_item_usage_account_id,
            CASE WHEN i % 97 = 0 THEN 'Tax' ELSE 'Usage' END AS line_item_line_item_type,
            strftime(hour, '%Y-%m-%dT%H:%M:%S.000Z') AS line_item_usage_start_date,
            strftime(hour + INTERVAL 1 HOUR, '%Y-%m-%dT%H:%M:%S.000Z')
              AS line_item_usage_end_date,
            CASE WHEN i % 5 < 2 THEN 'AmazonRDS' ELSE 'AmazonEC2' END AS line_item_product_code,
            ['Aurora:ServerlessV2Usage', 'Data-API-Usage', 'BoxUsage:m5.large',
             'EBS:VolumeUsage.gp3', 'DataTransfer-Out-Bytes'][i % 5 + 1] AS line_item_usage_type,
            ['CreateDBInstance:0021', 'DataAPI', 'RunInstances', '', 'CreateVolume'][i % 5 + 1]
              AS line_item_operation,
            'USE1-AZ' || (i % 3) AS line_item_availability_zone,
            'arn:aws:rds:us-east-1:123456789012:cluster:cluster-' || (i % 7)
              AS line_item_resource_id,
            ((i * 7919) % 100000 / 1000000)::DECIMAL(20, 10) AS line_item_usage_amount,
            'USD' AS line_item_currency_code, '0.1200000000' AS line_item_unblended_rate,
            ((i * 104729) % 1000000 / 100000000)::DECIMAL(20, 10) AS line_item_unblended_cost,
            '$0.12 per "ACU" hour, Aurora' AS line_item_line_item_description,
            'us-east-1' AS product_region_code,
            CASE WHEN i % 5 = 0 THEN 'Aurora PostgreSQL' ELSE '' END AS product_database_engine,
            '{{"user_team": "team-' || (i % 11) || '"}}' AS resource_tags
          FROM (SELECT i, TIMESTAMP '2026-11-01' + to_hours((i % 720)::INT) AS hour
                FROM range({rows.start}, {rows.stop}) t(i))
        ) TO '{path}' (HEADER, DELIMITER ',')
        """
    ).fetchall()


def _best(script: str, paths: list[Path]) -> tuple[float, float, float, str]:
    """Seconds, CPU seconds, peak MB and the total of the best of three processes."""
    runs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, paths)],
            capture_output=True,
            text=True,
            check=True,
        )
        took, cpu, peak, result = done.stdout.splitlines()[-1].split()
        runs.append((float(cpu), float(took), float(peak), result))
    cpu_s, took_s, peak_mb, total = min(runs)
    return took_s, cpu_s, peak_mb, total


def main() -> None:
    """Print the table."""
    rows = int(os.environ.get("BILL_BENCH_ROWS", "3000000"))
    print(f"{rows:,} rows; `times` is of the plain sum's CPU seconds\n")
    print(
        f"{'':>12} {'plain sum':>10} {'CPU':>8} {'bill':>10} {'CPU':>8} {'peak MB':>8} "
        f"{'times':>6} {'before':>7} {'ratio':>6}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _measure("one file", folder, [range(rows)])
        step = -(-rows // PARTS)
        parts = [range(start, min(start + step, rows)) for start in range(0, rows, step)]
        _measure(f"in {PARTS} parts", folder, parts)


def _measure(what: str, folder: Path, parts: list[range]) -> None:
    """Print a line of the table."""
    paths = [folder / f"part{number}.csv" for number in range(len(parts))]
    for path, rows in zip(paths, parts, strict=True):
        _generate(path, rows)
    plain_s, plain_cpu_s, _, plain = _best(_PLAIN, paths)
    took_s, cpu_s, peak_mb, total = _best(_BILL, paths)
    if plain != total:
        sys.exit(f"the sums differ: {plain} and {total}")
    times, before = cpu_s / plain_cpu_s, BEFORE[what]
    print(
        f"{what:>12} {plain_s:>8.2f} s {plain_cpu_s:>6.2f} s {took_s:>8.2f} s {cpu_s:>6.2f} s "
        f"{peak_mb:>8.0f} {times:>6.2f} {before:>7.2f} {times / before:>6.2f}",
        flush=True,
    )
