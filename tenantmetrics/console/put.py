"""Dashboards in CloudWatch: what is there, what would change, putting them, putting them back."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tenantmetrics.console import undo
from tenantmetrics.console.aws import asking, code
from tenantmetrics.errors import ConsoleError

__all__ = ["changes", "live", "put", "remove", "restore"]

_MISSING = frozenset({"ResourceNotFound", "DashboardNotFoundError"})


def live(client: Any, names: Iterable[str]) -> dict[str, str | None]:
    """The bodies that are in CloudWatch.

    Args:
        client: A CloudWatch client.
        names: Names of dashboards.

    Returns:
        Name → body, None where there is no such dashboard.

    Raises:
        ConsoleError: AWS refuses.
    """
    found: dict[str, str | None] = {}
    for name in names:
        with asking(f"read dashboard {name!r}"):
            try:
                found[name] = client.get_dashboard(DashboardName=name)["DashboardBody"]
            except ClientError as error:
                if code(error) not in _MISSING:
                    raise
                found[name] = None
    return found


def changes(wanted: Mapping[str, str], there: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Differences, as a unified diff of the bodies; only dashboards that differ are in it.

    Args:
        wanted: Name → body.
        there: Name → body in CloudWatch or None, as `live` returns.
    """
    found = {}
    for name, body in wanted.items():
        before, after = _lines(there[name]), _lines(body)
        if before != after:
            found[name] = list(
                difflib.unified_diff(
                    before, after, f"{name} (CloudWatch)", f"{name} (here)", lineterm=""
                )
            )
    return found


def put(
    client: Any, wanted: Mapping[str, str], there: Mapping[str, str | None], undo_file: Path
) -> list[str]:
    """Put what differs, after keeping what was there.

    Args:
        client: A CloudWatch client.
        wanted: Name → body.
        there: Name → body in CloudWatch or None, as `live` returns.
        undo_file: Where to keep what was there.

    Returns:
        CloudWatch's own remarks on the bodies.

    Raises:
        ConsoleError: AWS refuses; what was put before stays and can be undone.
    """
    differing = changes(wanted, there)
    if not differing:
        return []
    undo.write(undo_file, "dashboards", {"bodies": {name: there[name] for name in differing}})
    remarks = []
    for name in differing:
        with asking(f"put dashboard {name!r}"):
            answer = client.put_dashboard(DashboardName=name, DashboardBody=wanted[name])
        remarks += [
            f"{name}: {message.get('DataPath', '')}: {message.get('Message', '')}"
            for message in answer.get("DashboardValidationMessages", ())
        ]
    return remarks


def remove(client: Any, there: Mapping[str, str | None], undo_file: Path) -> None:
    """Delete dashboards, after keeping them.

    Args:
        client: A CloudWatch client.
        there: Name → body in CloudWatch or None, as `live` returns.
        undo_file: Where to keep what was there.

    Raises:
        ConsoleError: AWS refuses.
    """
    found = {name: body for name, body in there.items() if body is not None}
    if not found:
        return
    undo.write(undo_file, "dashboards", {"bodies": found})
    with asking(f"delete the dashboards {', '.join(found)}"):
        client.delete_dashboards(DashboardNames=list(found))


def restore(client: Any, undo_file: Path) -> list[str]:
    """Put back what was there before the last `put` or `remove`; doing it twice redoes.

    Returns:
        What was done, a line a dashboard.

    Raises:
        ConsoleError: There is nothing to undo, or AWS refuses.
    """
    bodies = undo.read(undo_file, "dashboards").get("bodies")
    if not isinstance(bodies, dict):
        raise ConsoleError(f"undo file {str(undo_file)!r} holds no dashboards")
    undo.write(undo_file, "dashboards", {"bodies": live(client, bodies)})
    done = []
    for name, body in bodies.items():
        with asking(f"restore dashboard {name!r}"):
            if body is None:
                client.delete_dashboards(DashboardNames=[name])
                done.append(f"deleted {name}")
            else:
                client.put_dashboard(DashboardName=name, DashboardBody=body)
                done.append(f"restored {name}")
    return done


def _lines(body: str | None) -> list[str]:
    if body is None:
        return []
    try:
        # CloudWatch may hand the same body back in another order or without its spaces.
        return json.dumps(json.loads(body), indent=1, sort_keys=True).splitlines()
    except ValueError:
        return body.splitlines()
