"""OTLP's settings are the test's own."""

import os

import pytest

# Loaded with the first export, whose deadline in these tests is a second.
import tenantmetrics.export.otlp_data
import tenantmetrics.export.otlp_http  # noqa: F401


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Nothing of the developer's own OpenTelemetry settings."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
