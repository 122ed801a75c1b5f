"""boto3 for the console: one session, and errors in one line that say what was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from tenantmetrics.errors import ConsoleError

__all__ = ["asking", "clients", "code"]


def clients(region: str | None) -> tuple[Callable[[str], Any], str]:
    """A maker of clients, and the region that they use.

    Args:
        region: The region; None for boto3's own (AWS_REGION, the shared config file).

    Raises:
        ConsoleError: There is no region anywhere, or the profile does not exist.
    """
    import boto3  # noqa: PLC0415 - 100 ms, only for commands that call AWS

    with asking("find the region and credentials"):
        session = boto3.Session(region_name=region)
        if not session.region_name:
            # Lambda and containers set AWS_REGION, which boto3 itself passes over.
            session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    if not session.region_name:
        raise ConsoleError("no region is set: set AWS_REGION").about("region")
    return cast("Callable[[str], Any]", session.client), str(session.region_name)


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn AWS's errors into ours.

    Args:
        what: What is done, after "cannot": "read dashboard x".
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ConsoleError(f"cannot {what}: {' '.join(str(error).split())}") from error


def code(error: ClientError) -> str:
    """AWS's name of the error."""
    return str(error.response.get("Error", {}).get("Code", ""))
