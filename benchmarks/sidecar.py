"""The sidecar beside the least that uvicorn and aiohttp can do, before the same endpoint.

Each is a process of its own; the clients share one other and speak HTTP by hand. Requests a second
on one core are the reverse of the processor time that a request takes in the proxy's process, which
other work on the machine does not change. Latency is that of 16 clients that ask 25 times a second
each: as fast as they can, they would measure their own queue. The rounds take turns, and each is
compared with its neighbours. Beside other work it is the scheduler's latency that one sees, unless
the benchmark goes first: `chrt -r 10 python -m benchmarks sidecar`.

Budgets: 70 % of the bare pass-through's requests a second; at most 0.5 ms added at the median and
2 ms at the 99th percentile; less than 150 MB after 1,000,000 calls of 10,000 tenants. `CALLS` in
the environment sets how many calls the last one makes; its default is a tenth, said in the table.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice

import httptools
import psutil

CLIENTS = 16
TENANTS = 10_000
ROUND_CALLS = 3_000
ROUNDS = 9
PACED_ROUNDS = 5
PACED_CALLS = 1_200
PACE_S = CLIENTS / 400
CALLS = int(os.environ.get("CALLS", "100000"))
CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:local"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:local"


def request(number: int) -> bytes:
    """A call as an SDK makes it: one of 20 statements, of one of the tenants."""
    parameters = [
        {"name": "tenant", "value": {"stringValue": f"tenant-{number % TENANTS}"}},
        {"name": "id", "value": {"longValue": number}},
    ]
    sql = f"SELECT id, name FROM table_{number % 20} WHERE tenant_id = :tenant AND id = :id"
    body = json.dumps(
        {
            "resourceArn": CLUSTER,
            "secretArn": SECRET,
            "database": "app",
            "sql": sql,
            "parameters": parameters,
        }
    ).encode()
    head = (
        "POST /Execute HTTP/1.1\r\nhost: 127.0.0.1:8787\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nuser-agent: aws-sdk-js/3 lang/js\r\n"
        f"amz-sdk-invocation-id: 0f5c6b1e-{number:08x}\r\namz-sdk-request: attempt=1; max=3\r\n"
        "x-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=A/B, "
        "SignedHeaders=host, Signature=0\r\n\r\n"
    )
    return head.encode() + body


class Client(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.parser = httptools.HttpResponseParser(self)
        self.answered: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self.parser.get_status_code() != 200:
            sys.exit(f"the proxy answered {self.parser.get_status_code()}")
        if self.answered is not None:
            self.answered.set_result(None)

    async def ask(self, data: bytes) -> float:
        self.answered = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        self.transport.write(data)
        await self.answered
        return time.perf_counter() - started


async def load(port: int, requests: list[bytes], pace_s: float = 0.0) -> list[float]:
    """All requests by 16 clients; their latencies in seconds."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []

    async def one(part: int) -> None:
        _, client = await loop.create_connection(Client, "127.0.0.1", port)
        if pace_s:
            await asyncio.sleep(pace_s * part / CLIENTS)
        for data in islice(requests, part, None, CLIENTS):
            due = loop.time() + pace_s
            latencies.append(await client.ask(data))
            if pace_s:
                await asyncio.sleep(max(0.0, due - loop.time()))
        client.transport.close()

    await asyncio.gather(*(one(part) for part in range(CLIENTS)))
    return latencies


@contextmanager
def process(*command: str) -> Iterator[tuple[int, psutil.Process]]:
    """A proxy or the endpoint, and the port that it prints."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "own",
        "AWS_SECRET_ACCESS_KEY": "own",
        "TENANTMETRICS_EXPORTERS": "none",
    }
    started = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        assert started.stdout is not None
        for line in started.stdout:
            if found := re.search(r"(\d+)\s*$", line):
                yield int(found.group(1)), psutil.Process(started.pid)
                break
    finally:
        started.terminate()
        started.wait(60)


def cpu_s(of: psutil.Process) -> float:
    times = of.cpu_times()
    return float(times.user + times.system)


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)] * 1_000


def middle(rounds: list[tuple[float, float]], which: int) -> float:
    return statistics.median(values[which] for values in rounds)


def main() -> None:
    """Measure and print."""
    with ExitStack() as stack:
        upstream, _ = stack.enter_context(process("benchmarks._sidecar_peers", "upstream"))
        url = f"http://127.0.0.1:{upstream}"
        bare = stack.enter_context(process("benchmarks._sidecar_peers", "bare", url))
        ours = stack.enter_context(
            process("tenantmetrics", "sidecar", "--port", "0", "--upstream", url)
        )
        requests = [request(number) for number in range(ROUND_CALLS)]
        costs: dict[str, list[float]] = {"bare": [], "sidecar": []}
        for _ in range(ROUNDS + 1):
            for name, (port, of) in (("bare", bare), ("sidecar", ours)):
                before = cpu_s(of)
                asyncio.run(load(port, requests))
                costs[name].append((cpu_s(of) - before) / ROUND_CALLS)
        each = {name: statistics.median(values[1:]) for name, values in costs.items()}
        # Of each round by itself: what else the machine does changes from round to round.
        share = statistics.median(
            bare_s / ours_s
            for bare_s, ours_s in zip(costs["bare"][1:], costs["sidecar"][1:], strict=True)
        )
        print(f"{'on one core':24} {'requests/s':>12} {'µs a request':>14}")
        for name, cost in each.items():
            print(f"{name:24} {1 / cost:12,.0f} {cost * 1e6:14.0f}")
        print(f"{'sidecar : bare':24} {share:12.0%} {'(budget 70 %)':>14}")
        ports = {"direct": upstream, "bare": bare[0], "sidecar": ours[0]}
        paced: dict[str, list[tuple[float, float]]] = {name: [] for name in ports}
        for _ in range(PACED_ROUNDS):
            for name, port in ports.items():
                found = asyncio.run(load(port, requests[:PACED_CALLS], PACE_S))
                paced[name].append((percentile(found, 0.5), percentile(found, 0.99)))
        print(f"\n{'16 clients, 400/s':24} {'median ms':>12} {'p99 ms':>14}")
        for name, rounds in paced.items():
            print(f"{name:24} {middle(rounds, 0):12.2f} {middle(rounds, 1):14.2f}")
        for name in ("direct", "bare"):
            added = [
                (ours_ms[0] - than_ms[0], ours_ms[1] - than_ms[1])
                for ours_ms, than_ms in zip(paced["sidecar"], paced[name], strict=True)
            ]
            print(f"{f'sidecar - {name}':24} {middle(added, 0):12.2f} {middle(added, 1):14.2f}")
        many = list(islice(cycle(request(number) for number in range(TENANTS)), CALLS))
        asyncio.run(load(ours[0], many))
        size = ours[1].memory_info().rss / 1e6
        print(
            f"\nresident after {CALLS:,} calls of {TENANTS:,} tenants: {size:.0f} MB (budget 150)"
        )


if __name__ == "__main__":
    main()
