"""A number of calls of one variant and nothing else: what `instructions` runs under valgrind."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from benchmarks._stub import client
from benchmarks.callers_thread import CALL, WARM_UP_CALLS, _opentelemetry

_Variant = tuple[Callable[..., Any], AbstractContextManager[Any]]


def _plain() -> _Variant:
    return client().execute_statement, nullcontext()


def _from_sql() -> _Variant:
    import tenantmetrics

    tenantmetrics.configure(exporters=["none"], trace_link=False)
    return tenantmetrics.instrument(client()).execute_statement, nullcontext()


def _from_context() -> _Variant:
    import tenantmetrics

    return _from_sql()[0], tenantmetrics.tenant("acme")


def _peer() -> _Variant:
    return client().execute_statement, _opentelemetry()()


VARIANTS: dict[str, Callable[[], _Variant]] = {
    "boto3": _plain,
    "tenantmetrics, tenant from SQL": _from_sql,
    "tenantmetrics, tenant from context": _from_context,
    "OpenTelemetry botocore": _peer,
}


def main() -> None:
    """Make the calls."""
    call, around = VARIANTS[sys.argv[1]]()
    with around:
        for _ in range(WARM_UP_CALLS):
            call(**CALL)
        # A full collection of what was imported costs as much as a thousand calls of ours, and
        # falls into one of two runs.
        gc.collect()
        gc.freeze()
        for _ in range(int(sys.argv[2])):
            call(**CALL)


if __name__ == "__main__":
    main()
