"""The baseline: findings that are known, in a file beside the code, so that CI fails on new ones.

A finding is known by its rule and its object, not by its words. One that was mended and is still in
the file is told, so that the file does not hide its return.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tenantmetrics.errors import RlsError
from tenantmetrics.policies.finding import Finding

__all__ = ["Baseline", "read_baseline", "write_baseline"]

_VERSION = 1
Baseline = set[tuple[str, str]]
"""(rule id, object) of each finding that is known."""


def read_baseline(path: Path) -> Baseline:
    """The findings that a file holds.

    Args:
        path: Written by `write_baseline`.

    Raises:
        RlsError: It cannot be read, or is no baseline.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != _VERSION:
            raise RlsError(f"{path} is a baseline of version {document['version']!r}, not 1")
        return {(str(entry["id"]), str(entry["object"])) for entry in document["findings"]}
    except OSError as error:
        raise RlsError(f"cannot read the baseline {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise RlsError(f"{path} is not a baseline: write a new one") from None


def write_baseline(path: Path, findings: Sequence[Finding]) -> None:
    """Write all findings of now as known; one a line, in order, so that a diff shows what changed.

    Args:
        path: The file; replaced.
        findings: What the check found.

    Raises:
        RlsError: It cannot be written.
    """
    entries = sorted({found.key for found in findings})
    lines = ",\n".join(
        "  " + json.dumps({"id": rule, "object": name}, ensure_ascii=False)
        for rule, name in entries
    )
    text = f'{{"version": {_VERSION}, "findings": [\n{lines}\n]}}\n'
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RlsError(f"cannot write the baseline {path}: {error.strerror}") from None
