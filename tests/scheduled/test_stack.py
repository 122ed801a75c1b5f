"""The template of the scheduled report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.scheduled import settings, template


def test_cfn_lint_finds_nothing(tmp_path):
    """As CloudFormation would read it, warnings included."""
    path = tmp_path / "stack.yaml"
    path.write_text(template())
    binary = Path(sys.executable).with_name("cfn-lint")
    command = [binary, "--include-checks", "I", "--", path]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_every_setting_that_the_stack_passes_is_one_that_the_job_reads():
    """A misspelt name would be passed over in silence."""
    source = Path(settings.__file__).read_text("utf-8")
    passed = [line.split(":")[0].strip() for line in template().splitlines() if " REPORT_" in line]
    assert len(passed) == 17
    for name in passed:
        assert f'"{name}"' in source


def test_the_command_prints_the_template():
    """As it is, to be piped to a file."""
    result = CliRunner().invoke(app, ["report-stack"])
    assert result.output == template()
