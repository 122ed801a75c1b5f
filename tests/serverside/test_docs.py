"""docs/server-load.md says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from tenantmetrics.cli.server_load import server_load
from tenantmetrics.serverside.tables import TABLES, Gap

DOC = (Path(__file__).parents[2] / "docs/server-load.md").read_text()
COMMANDS = typer.main.get_command(server_load).commands


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_column_is_documented_as_it_is_declared(table):
    """Name, type and meaning, in order, and no other."""
    section = DOC.split(f"### `{table.name}`", 1)[1].split("\n\n", 2)[1]
    rows = [f"| `{column.name}` | {column.kind} | {column.about} |" for column in table.columns]
    assert section.splitlines() == ["| column | type | meaning |", "|---|---|---|", *rows]


def test_every_gap_is_documented():
    """What a row may say."""
    for gap in Gap:
        assert not gap or f"| `{gap}` |" in DOC


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_documented_and_helps(name):
    """In the first table, with a help text of its own."""
    assert f"| `server-load {name}` |" in DOC
    assert COMMANDS[name].help


def test_every_option_that_is_documented_exists():
    """No option from a plan."""
    known = {option for command in COMMANDS.values() for p in command.params for option in p.opts}
    block = DOC.replace("\\\n", " ")
    for line in block.splitlines():
        if "tenantmetrics server-load" in line and "--" in line:
            said = {word.strip("`[];") for word in line.split() if word.startswith("--")}
            assert said <= known, line
