"""What is kept of a statement's text: its fingerprint and its summary, never the text.

The summary is the tenant stage's, OpenTelemetry's `db.query.summary`: operations and their targets,
no values. A text that cannot be read (another dialect, cut off) has an empty one.
"""

from __future__ import annotations

from typing import NamedTuple

from tenantmetrics.config import Config
from tenantmetrics.serverside.sql import MARK
from tenantmetrics.sqltext.fingerprint import fingerprint
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.planner import plan_of
from tenantmetrics.tenant.sql.template import skeleton

__all__ = ["Known", "Texts"]


class Known(NamedTuple):
    """What is kept of a text.

    Attributes:
        fingerprint: As `sqltext.fingerprint` makes it; 0 for a text without any token.
        summary: Such as "SELECT bookings".
        is_ours: It is one of the SELECTs that these snapshots send.
    """

    fingerprint: int
    summary: str
    is_ours: bool


class Texts:
    """Reads texts.

    Args:
        config: The settings; names of variables and columns are read from them.
    """

    def __init__(self, config: Config) -> None:
        self._vocabulary = Vocabulary(config)

    def read(self, sql: str) -> Known:
        """What is kept of a text."""
        try:
            summary = plan_of(skeleton(sql).template, self._vocabulary).summary
        except Exception:  # noqa: BLE001 - whatever a stranger's text provokes, the others are read
            summary = ""
        return Known(fingerprint(sql), summary, MARK in sql)
