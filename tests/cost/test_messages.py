"""Messages of the cost stage state facts: who asks by flags or settings adds their names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tenantmetrics
from tenantmetrics.cli.flags import in_flags
from tenantmetrics.cost import BillFilter
from tenantmetrics.errors import ReportError
from tenantmetrics.scheduled.settings import in_settings

ROOT = Path(tenantmetrics.__file__).parent
FILES = sorted(path for part in ("cost", "report") for path in (ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_names_a_flag(path):
    """The scheduled report has no flags, and Python has none either."""
    texts = [
        node.value
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [text for text in texts if re.search(r"(^|[\s(`])--[a-z]", text)] == []


def test_the_command_line_and_the_job_name_what_an_error_is_about():
    """One error, three readers: the library's text, the flag, the setting."""
    with pytest.raises(ReportError) as caught:
        BillFilter.of(None, None, "team")
    assert str(caught.value) == "tag 'team' must be KEY=VALUE"
    assert in_flags(caught.value) == "tag 'team' must be KEY=VALUE (--bill-tag)"
    assert in_settings(caught.value) == "tag 'team' must be KEY=VALUE (REPORT_BILL_TAG)"
