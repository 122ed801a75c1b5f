"""Findings as SARIF 2.1.0, the format of code scanning (OASIS, "SARIF Version 2.1.0").

A database has no files. GitHub shows a result only with a file and a line (GitHub, "SARIF support
for code scanning"), so each object stands as one file of the folder `database/`, on line 1; its
real name is its logical location. `partialFingerprints` keep a result one through all runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from tenantmetrics.policies.finding import Finding, Severity
from tenantmetrics.policies.rules import RULES

__all__ = ["sarif"]

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCORES = {Severity.ERROR: "8.0", Severity.WARNING: "5.0", Severity.INFO: "2.0"}
"""GitHub's `security-severity`: 7.0 and above is high, 4.0 medium, below low."""
_FINGERPRINT = "tenantmetricsRls/v1"


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """The document, as JSON takes it.

    Args:
        findings: What the check found.
    """
    places = {rule.id: place for place, rule in enumerate(RULES)}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tenantmetrics rls check",
                        "version": version("tenantmetrics"),
                        "rules": [
                            {
                                "id": rule.id,
                                "name": rule.name,
                                "shortDescription": {"text": rule.about},
                                "defaultConfiguration": {"level": _LEVELS[rule.severity]},
                                "properties": {
                                    "tags": ["security", "row-level-security"],
                                    "security-severity": _SCORES[rule.severity],
                                },
                            }
                            for rule in RULES
                        ],
                    }
                },
                "results": [_result(found, places[found.rule.id]) for found in findings],
            }
        ],
    }


def _result(found: Finding, place: int) -> dict[str, Any]:
    digest = hashlib.sha256("\0".join(found.key).encode()).hexdigest()
    return {
        "ruleId": found.rule.id,
        "ruleIndex": place,
        "level": _LEVELS[found.severity],
        "message": {"text": f"{found.object}: {found.why}\n\nTo mend it:\n{found.mend}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": f"database/{quote(found.object, safe='')}"},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": found.object}],
            }
        ],
        "partialFingerprints": {_FINGERPRINT: digest},
    }
