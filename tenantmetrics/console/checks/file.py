"""A file of any kind that the console knows, checked by what it is."""

from __future__ import annotations

import json
from pathlib import Path

from tenantmetrics.console.checks import dashboard, grafana, template
from tenantmetrics.console.checks.fault import Fault
from tenantmetrics.console.known import Known
from tenantmetrics.errors import ConsoleError

__all__ = ["check_file"]


def check_file(path: Path, namespace: str) -> list[Fault]:
    """What is wrong with a dashboard or a template.

    Args:
        path: JSON of CloudWatch or Grafana, or a CloudFormation template.
        namespace: Where our metrics are.

    Raises:
        ConsoleError: The file cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConsoleError(f"{str(path)!r} cannot be read: {error}") from None
    known = Known.of(namespace)
    if path.suffix.lower() in {".yaml", ".yml"}:
        return template.check(str(path), text, known)
    try:
        body = json.loads(text)
    except ValueError:
        body = None  # the check of a dashboard says where
    if isinstance(body, dict) and "panels" in body:
        return grafana.check(str(path), body)
    return dashboard.check(str(path), text, known)
