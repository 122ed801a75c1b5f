"""A file of any kind that the console knows, checked by what it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tenantmetrics.console.checks import contributor, dashboard, grafana, promrules, template
from tenantmetrics.console.checks.fault import Fault, load_json
from tenantmetrics.console.known import Known
from tenantmetrics.errors import ConsoleError, why_unreadable

__all__ = ["check_file"]


def check_file(path: Path, namespace: str, also: Iterable[str] = ()) -> list[Fault]:
    """What is wrong with a dashboard, a template, a Contributor Insights rule or alerting rules.

    A file that uses our metrics is held to all that is known; in any other, names that are not
    known are left alone.

    Args:
        path: JSON of CloudWatch or Grafana, a CloudFormation template, or rules of Prometheus.
        namespace: Where our metrics are.
        also: Other namespaces that the file may use.

    Raises:
        ConsoleError: The file cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConsoleError(f"{str(path)!r} cannot be read: {why_unreadable(error)}") from None
    return list(_faults(path, text, Known.of(namespace, strict=namespace in text, also=also)))


def _faults(path: Path, text: str, known: Known) -> Iterable[Fault]:
    """The faults of a file's text, by what it is."""
    file = str(path)
    if path.suffix.lower() in {".yaml", ".yml", ".rules", ".template"}:
        groups = promrules.rule_groups(text)
        if groups is not None:
            return promrules.check(file, groups)
        return template.check(file, text, known)
    try:
        body = load_json(text)
    except ValueError as error:
        return [Fault(file, "body", f"is not JSON: {error}")]
    keys = set(body) if isinstance(body, dict) else set()
    if "Resources" in keys:
        found: Iterable[Fault] = template.check(file, text, known)
    elif "AggregateOn" in keys:
        found = [Fault(file, "rule", what) for what in contributor.rule_faults(text)]
    elif {"panels", "schemaVersion"} & keys:
        found = grafana.check(file, body)
    else:
        found = dashboard.check(file, text, known)
    return found
