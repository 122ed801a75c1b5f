"""A number of calls of each variant and nothing else: what `instructions` runs under valgrind.

One client makes them all, in one process: where objects happen to lie in memory costs or saves some
thousand instructions a call, and so it is the same for all.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from benchmarks._stub import client
from benchmarks.callers_thread import CALL, WARM_UP_CALLS, _opentelemetry

PLAIN = "boto3"
PEER = "OpenTelemetry botocore"
METERED = ("tenantmetrics, tenant from SQL", "tenantmetrics, tenant from context")
VARIANTS = (PLAIN, *METERED, PEER)


@contextmanager
def _metered(made: Any, tenant: str | None) -> Iterator[None]:
    import tenantmetrics

    tenantmetrics.instrument(made)
    with tenantmetrics.tenant(tenant) if tenant else nullcontext():
        yield
    tenantmetrics.uninstrument(made)
    assert tenantmetrics.flush(60)


@contextmanager
def _peer() -> Iterator[None]:
    # Made now, and not before: the first thread beside the caller's is ours.
    with _opentelemetry()():
        yield


def main() -> None:
    """Make the calls."""
    import tenantmetrics

    tenantmetrics.configure(exporters=["none"], trace_link=False)
    made = client()
    calls = range(int(sys.argv[1]))
    around: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        PLAIN: nullcontext,
        METERED[0]: lambda: _metered(made, None),
        METERED[1]: lambda: _metered(made, "acme"),
        PEER: _peer,
    }
    for variant in VARIANTS:
        with around[variant]():
            for _ in range(WARM_UP_CALLS):
                made.execute_statement(**CALL)
            # A full collection of what was imported costs as much as a thousand calls of ours, and
            # falls into one variant.
            gc.collect()
            gc.freeze()
            os.getppid()  # valgrind is told to count anew at it
            for _ in calls:
                made.execute_statement(**CALL)
            os.getppid()


if __name__ == "__main__":
    main()
