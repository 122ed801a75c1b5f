"""What goes on around the clients of `shares`: strangers, a changing network, a busy machine."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tenantmetrics.localapi.endpoint import Endpoint
from tenantmetrics.localapi.faults import Fault

__all__ = ["busy", "drift", "failover", "plan_flip", "stranger"]

_UNAVAILABLE = "DatabaseUnavailableException"
_UNAVAILABLE_S = 2.0


@contextlib.contextmanager
def stranger(url: str, pause_s: float | None) -> Iterator[None]:
    """A client that nobody meters, with statements of its own and with one of the tenants'."""
    import psycopg

    from benchmarks._shares_client import SUM

    stop = threading.Event()

    def work() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(pause_s):
                connection.execute("SELECT count(DISTINCT note) FROM reading WHERE amount > 3")
                connection.execute(
                    SUM.replace(":tenant", "%s").replace("id % 24", "id %% 24"), ("t01",)
                )

    thread = threading.Thread(target=work)
    if pause_s is not None:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if pause_s is not None:
            thread.join()


@contextlib.contextmanager
def drift(
    endpoints: Sequence[Endpoint], places: Sequence[str], times: float, seconds: float
) -> Iterator[None]:
    """Let the overhead grow, step by step, to so many times what it was."""
    stop = threading.Event()

    def grow() -> None:
        started = time.monotonic()
        while not stop.wait(seconds / 20):
            factor = 1 + (times - 1) * min(1.0, (time.monotonic() - started) / seconds)
            for endpoint, place in zip(endpoints, places, strict=True):
                known = Fault.parse(place)
                assert known.median_s is not None
                assert known.p99_s is not None
                grown = replace(known, median_s=known.median_s * factor, p99_s=known.p99_s * factor)
                endpoint.faults.clear()
                endpoint.faults.add(grown)

    thread = threading.Thread(target=grow)
    if times > 1:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if times > 1:
            thread.join()


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Processes that burn CPU: a machine on which everything has to wait."""
    found = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in found:
            process.kill()
            process.wait()


@contextlib.contextmanager
def plan_flip(url: str, after_s: float | None) -> Iterator[None]:
    """Take away an index that a statement lives by; None: leave it."""
    import psycopg

    def flip() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP INDEX item_by_id")

    with _later(flip, after_s):
        yield


@contextlib.contextmanager
def failover(
    url: str,
    endpoints: Sequence[Endpoint],
    faults: Sequence[Sequence[str]],
    after_s: float | None,
    account: Callable[[], None],
) -> Iterator[None]:
    """Another instance becomes the writer: it knows no connection, and has statistics of its own.

    Args:
        url: Of the database.
        endpoints: Nothing answers there meanwhile.
        faults: What is in force there before and after.
        after_s: When; None: never.
        account: Takes the truth down, before the server's counts are lost.
    """
    import psycopg

    def switch() -> None:
        for endpoint in endpoints:
            endpoint.faults.add(_UNAVAILABLE)
        time.sleep(_UNAVAILABLE_S)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            account()
            connection.execute("SELECT pg_stat_statements_reset()")
        for endpoint, before in zip(endpoints, faults, strict=True):
            endpoint.faults.clear()
            for fault in before:
                endpoint.faults.add(fault)

    with _later(switch, after_s):
        yield


@contextlib.contextmanager
def _later(act: Callable[[], None], after_s: float | None) -> Iterator[None]:
    stop = threading.Event()

    def wait() -> None:
        if not stop.wait(after_s):
            act()

    thread = threading.Thread(target=wait)
    if after_s is not None:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if after_s is not None:
            thread.join()
