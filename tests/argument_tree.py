"""Every command of the command line, from the argument tree itself."""

from typer.main import get_command

from tenantmetrics.cli.app import app


def _walk(command, path):
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _walk(below, (*path, name))


COMMANDS = dict(_walk(get_command(app), ("tenantmetrics",)))
"""Commands and groups by the words that call them."""
