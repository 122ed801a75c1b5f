"""The local Data API endpoint beside a bare psycopg round trip to the same PostgreSQL.

The endpoint runs in a process of its own, as `tenantmetrics local` does; the clients share one
other process and speak HTTP by hand, so that what is measured is the endpoint and not the SDK.

Budgets: 2,000 requests a second with 16 clients on two cores; at the median of sequential calls,
less than 1 ms more than psycopg. On a machine with other work the times say little; the processor
time that the endpoint's process takes for a call stays what it is, and 2,000 calls a second need
less than 0.5 ms of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil
import psycopg

STATEMENTS = {
    "SELECT 1": "SELECT 1",
    "100 rows": "SELECT n, n * 2.5, 'guest ' || n, now(), n % 2 = 0 FROM generate_series(1, 100) n",
}
CLIENTS = 16
SEQUENTIAL_CALLS = 2_000
CONCURRENT_CALLS = 8_000
WARM_UP_CALLS = 200


class Endpoint(NamedTuple):
    """Where things are."""

    port: int
    psycopg_url: str
    process: psutil.Process

    def cpu_s(self) -> float:
        """Processor seconds that the endpoint's process has taken so far, PostgreSQL's not."""
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """`tenantmetrics local` in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tenantmetrics",
        "local",
        "--port",
        "0",
        "--quiet",
        "--any-arn",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = re.match(
                r"# RDS Data API at http://127\.0\.0\.1:(\d+); PostgreSQL at (.*)", line
            )
            if found is None:
                raise SystemExit(f"the endpoint does not start: {line}")
            for line in process.stdout:
                if "Ctrl-C" in line:
                    break
            yield Endpoint(int(found[1]), found[2], psutil.Process(process.pid))
        finally:
            process.terminate()


def request(sql: str) -> bytes:
    """ExecuteStatement as one piece of HTTP."""
    arn = "arn:aws:rds:us-east-1:123456789012:cluster:local"
    body = json.dumps({"resourceArn": arn, "secretArn": arn, "sql": sql}).encode()
    return (
        b"POST /Execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    ) + body


def complete(answer: bytes) -> bool:
    """Whether an answer is there in full; anything but 200 ends the run."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(answer.decode())
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return len(body) == int(length[1])


def timed(call: Callable[[], object], calls: int) -> list[float]:
    """Seconds of each call."""
    for _ in range(WARM_UP_CALLS):
        call()
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def sequential_http(port: int, sql: str) -> list[float]:
    message = request(sql)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def call() -> None:
            connection.sendall(message)
            answer = b""
            while not complete(answer):
                answer += connection.recv(65536)

        return timed(call, SEQUENTIAL_CALLS)


def sequential_psycopg(url: str, sql: str) -> list[float]:
    with psycopg.connect(url, autocommit=True) as connection:
        return timed(lambda: connection.execute(sql).fetchall(), SEQUENTIAL_CALLS)


async def concurrent_http(port: int, sql: str) -> tuple[list[float], float]:
    """Times of all calls, and seconds in all."""
    message = request(sql)
    times: list[float] = []
    left = CONCURRENT_CALLS

    async def client() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            start = time.perf_counter()
            writer.write(message)
            answer = b""
            while not complete(answer):
                answer += await reader.read(65536)
            times.append(time.perf_counter() - start)
        writer.close()
        await writer.wait_closed()

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    return times, time.perf_counter() - start


async def concurrent_psycopg(url: str, sql: str) -> tuple[list[float], float]:
    """The same by psycopg's asynchronous connections."""
    times: list[float] = []
    left = CONCURRENT_CALLS

    async def client() -> None:
        nonlocal left
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while left > 0:
                left -= 1
                start = time.perf_counter()
                await (await connection.execute(sql)).fetchall()
                times.append(time.perf_counter() - start)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    return times, time.perf_counter() - start


def row(
    name: str,
    times: list[float],
    beside: list[float] | None,
    total_s: float | None,
    cpu_s: float | None = None,
) -> None:
    """One line of the table."""
    median = statistics.median(times)
    p99 = statistics.quantiles(times, n=100)[98]
    ratio = f"{median / statistics.median(beside):6.2f}x" if beside else " " * 7
    added = f"{(median - statistics.median(beside)) * 1e3:+8.3f}" if beside else " " * 8
    rate = f"{len(times) / total_s:10,.0f}" if total_s else f"{1 / statistics.mean(times):10,.0f}"
    # The calls that warm up are in the processor time too.
    calls = len(times) + (0 if total_s else WARM_UP_CALLS)
    cpu = f"{cpu_s / calls * 1e3:10.3f}" if cpu_s is not None else " " * 10
    print(f"{name:<34}{median * 1e3:10.3f}{p99 * 1e3:10.3f}{added:>10}{ratio:>9}{rate}{cpu}")


def main() -> None:
    """Print the table."""
    with endpoint() as running:
        print(f"local Data API endpoint, {os.cpu_count()} cores, python {sys.version.split()[0]}")
        heads = f"{'median ms':>10}{'p99 ms':>10}{'added ms':>10}{'ratio':>9}{'calls/s':>10}"
        print(f"{'':<34}{heads}{'cpu ms':>10}")
        for name, sql in STATEMENTS.items():
            bare = sequential_psycopg(running.psycopg_url, sql)
            row(f"{name}, psycopg", bare, None, None)
            before_s = running.cpu_s()
            times = sequential_http(running.port, sql)
            row(f"{name}, endpoint", times, bare, None, running.cpu_s() - before_s)
            bare, seconds = asyncio.run(concurrent_psycopg(running.psycopg_url, sql))
            row(f"{name}, {CLIENTS} clients, psycopg", bare, None, seconds)
            before_s = running.cpu_s()
            times, seconds = asyncio.run(concurrent_http(running.port, sql))
            cpu_s = running.cpu_s() - before_s
            row(f"{name}, {CLIENTS} clients, endpoint", times, bare, seconds, cpu_s)


if __name__ == "__main__":
    main()
