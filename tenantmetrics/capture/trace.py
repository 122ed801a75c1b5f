"""The link to traces: the current OpenTelemetry span learns the tenant, the call learns its ids.

Costs one look-up where OpenTelemetry is not loaded, and imports nothing.
"""

from __future__ import annotations

import sys
from typing import Any

from tenantmetrics.capture.request import Request

__all__ = ["link"]

_modules = sys.modules


def link(request: Request) -> tuple[int, int] | None:
    """Put `tenant.id` on the current span and return its ids.

    The attribute is set where the call itself names exactly one tenant; a transaction's tenant may
    be known only after the span has ended.

    Args:
        request: The call, which knows what it says of its tenant.

    Returns:
        (trace id, span id) of a span that is sampled, else None.
    """
    trace: Any = _modules.get("opentelemetry.trace")
    get_current_span = getattr(trace, "get_current_span", None)  # absent while it is being imported
    if get_current_span is None:
        return None
    span = get_current_span()
    context = span.get_span_context()
    if not context.is_valid:
        return None
    if span.is_recording():
        tenants = {tenant for claim in request.claims.named for tenant, _ in claim.shares}
        if len(tenants) == 1:
            span.set_attribute("tenant.id", tenants.pop())
    return (context.trace_id, context.span_id) if context.trace_flags.sampled else None
