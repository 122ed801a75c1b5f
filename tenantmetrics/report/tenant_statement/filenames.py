"""A file name for any tenant: readable, and safe on every file system.

Lower-case ASCII letters, digits, hyphens and underscores, so that it means the same everywhere and
no two differ by case alone. A tenant whose id is more than that gets 16 digits of its digest at the
end; so does one whose id looks as if it had them.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["file_stem"]

_LONGEST = 80
"""Characters of the readable part; file systems take 255 bytes for all of it."""

_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_-]*")
_LOOKS_DIGESTED = re.compile(r".*-[0-9a-f]{16}")


def file_stem(tenant: str, month: str) -> str:
    """The name of a tenant's file, without suffix: `acme-2026-11`.

    Args:
        tenant: Its id, whatever is in it.
        month: Such as "2026-11".
    """
    if (
        len(tenant) <= _LONGEST
        and _PLAIN.fullmatch(tenant)
        and not _LOOKS_DIGESTED.fullmatch(tenant)
    ):
        return f"{tenant}-{month}"
    readable = re.sub(r"[^a-z0-9_]+", "-", tenant.lower())[:_LONGEST].strip("-") or "tenant"
    digest = hashlib.sha256(tenant.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{readable}-{digest}-{month}"
