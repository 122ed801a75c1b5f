"""docs/architecture.md names files that are there, and the package imports down its flow."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tenantmetrics"
TEXT = (ROOT / "docs/architecture.md").read_text()
STAGES = ("capture", "tenant", "aggregate", "export", "serverside", "cost", "report", "console")
MAY_IMPORT = {
    "tenant": {"capture"},  # the neutral `Request`
    "serverside": {"cost", "export", "tenant"},  # AWS clients, a file's write, what a text says
    "cost": {"serverside", "tenant"},  # the server's tables, names of schemas
    "report": {"cost"},
    "console": {"aggregate", "cost", "export"},  # the rehearsal reads ledgers and makes metrics
}


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*|\w+\.py)`", TEXT))))
def test_every_file_that_the_page_names_exists(path):
    """Patterns such as `export/NAME.py` name a folder that exists."""
    wanted = re.sub(r"NAME\.py$", "", path).rstrip("/")
    assert (ROOT / wanted).exists() or list(PACKAGE.rglob(wanted)), path


def test_every_folder_of_the_package_is_on_the_page():
    """A newcomer finds each."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert [name for name in folders if f"`{name}/`" not in TEXT] == []


@pytest.mark.parametrize("stage", STAGES)
def test_stages_do_not_import_each_other(stage):
    """Only `pipeline.py` knows their order; what is allowed beside it is listed here."""
    found = set()
    for path in (PACKAGE / stage).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = node.module.split(".")
                if parts[0] == "tenantmetrics" and len(parts) > 1 and parts[1] in STAGES:
                    found.add(parts[1])
    assert found - {stage} <= MAY_IMPORT.get(stage, set())
