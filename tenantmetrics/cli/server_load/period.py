"""Options of the commands that read whole days from AWS."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

__all__ = ["ClusterName", "Since", "Until", "first_and_last"]

ClusterName = Annotated[str, typer.Option("--cluster", help="The DB cluster's identifier or ARN.")]
Since = Annotated[
    str | None, typer.Option(help="First day, UTC, such as 2026-11-01. [default: yesterday]")
]
Until = Annotated[str | None, typer.Option(help="Last day, UTC. [default: today, so far]")]


def first_and_last(since: str | None, until: str | None, now_s: float) -> tuple[date, date]:
    """The days that the options name.

    Raises:
        typer.BadParameter: One does not parse, or they stand the wrong way round.
    """
    today = datetime.fromtimestamp(now_s, UTC).date()
    first = _day("--since", since) or today - timedelta(days=1)
    last = _day("--until", until) or today
    if first > last:
        raise typer.BadParameter(f"--since {first} is after --until {last}")
    return first, last


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r}: write a day such as 2026-11-28") from None
