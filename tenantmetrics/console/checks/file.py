"""A file of any kind that the console knows, checked by what it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tenantmetrics.console.checks import contributor, dashboard, grafana, template
from tenantmetrics.console.checks.fault import Fault, load_json
from tenantmetrics.console.known import Known
from tenantmetrics.errors import ConsoleError

__all__ = ["check_file"]


def check_file(path: Path, namespace: str, also: Iterable[str] = ()) -> list[Fault]:
    """What is wrong with a dashboard, a template or a Contributor Insights rule.

    A file that uses our metrics is held to all that is known; in any other, names that are not
    known are left alone.

    Args:
        path: JSON of CloudWatch or Grafana, or a CloudFormation template.
        namespace: Where our metrics are.
        also: Other namespaces that the file may use.

    Raises:
        ConsoleError: The file cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConsoleError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConsoleError(f"{str(path)!r} cannot be read: it is not UTF-8") from None
    known = Known.of(namespace, strict=namespace in text, also=also)
    if path.suffix.lower() in {".yaml", ".yml", ".template"}:
        return template.check(str(path), text, known)
    try:
        body = load_json(text)
    except ValueError as error:
        return [Fault(str(path), "body", f"is not JSON: {error}")]
    if isinstance(body, dict) and "Resources" in body:
        return template.check(str(path), text, known)
    if isinstance(body, dict) and "AggregateOn" in body:
        return [Fault(str(path), "rule", what) for what in contributor.rule_faults(text)]
    if isinstance(body, dict) and {"panels", "schemaVersion"} & set(body):
        return grafana.check(str(path), body)
    return dashboard.check(str(path), text, known)
