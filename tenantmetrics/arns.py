"""What an ARN says."""

from __future__ import annotations

__all__ = ["region_of"]

_PARTS = 6
"""`arn:partition:service:region:account:resource`, whose last part may have colons of its own."""


def region_of(arn: str) -> str:
    """The region in an ARN; empty where there is none, or where it is no ARN."""
    parts = arn.split(":", _PARTS)
    return parts[3] if parts[0] == "arn" and len(parts) >= _PARTS else ""
