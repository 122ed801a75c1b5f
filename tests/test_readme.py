"""The README claims nothing that is not there, and leaves out no command."""

import ast
import re
from pathlib import Path

import pytest
import typer.main

from tenantmetrics.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = sorted(typer.main.get_command(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_and_helps(command, capfd):
    """In the README's table, with a help text of its own."""
    assert f"`tenantmetrics {command}" in README
    assert typer.main.get_command(app).commands[command].help


def test_every_command_that_the_readme_names_exists():
    """No command from a plan."""
    for code in code_of(README):
        assert set(re.findall(r"tenantmetrics ([a-z][a-z-]+)\b", code)) <= set(COMMANDS), code


def test_every_make_target_that_the_readme_names_exists():
    """Two for newcomers, and the rest."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in code_of(README):
        if line.startswith("make "):
            assert line.split()[1] in targets


def test_every_link_leads_somewhere():
    """Relative links to files of the project."""
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_the_python_examples_parse():
    """At the least, they are Python."""
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert examples
    for example in examples:
        ast.parse(example)


def code_of(text):
    """Code spans and indented code."""
    return re.findall(r"`([^`\n]+)`", text) + re.findall(r"^ {4}(.+)$", text, re.MULTILINE)
