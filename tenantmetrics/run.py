"""`tenantmetrics-run COMMAND …`: a program with every `rds-data` client metered, untouched.

The program takes this process's place: signals, exit code, terminal and process id are its own. It
is set by the environment (TENANTMETRICS_*), as are the Python programs that it starts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["main"]

_USAGE = """\
usage: tenantmetrics-run COMMAND [ARGUMENT ...]

Runs a Python program with every rds-data client metered, whoever makes it:

    tenantmetrics-run python app.py
    tenantmetrics-run python -m package
    tenantmetrics-run gunicorn app:app

Settings come from TENANTMETRICS_* in the environment, or from the file that
TENANTMETRICS_CONFIG names.
"""
_NOT_FOUND, _NOT_EXECUTABLE, _WRONG = 127, 126, 2


def main(arguments: list[str] | None = None) -> int:
    """Become the program; returns only where that cannot be.

    Args:
        arguments: The command and its arguments; those of the process if None.

    Returns:
        An exit code, as shells have them: 127 for a command that is not there, 126 for one that
        cannot be run, 2 for none.
    """
    command = sys.argv[1:] if arguments is None else arguments
    if not command or command[0] in {"-h", "--help"}:
        (sys.stdout if command else sys.stderr).write(_USAGE)
        return 0 if command else _WRONG
    if command[0] == "-m" or command[0].endswith(".py"):
        command = [sys.executable, *command]
    folder = str(Path(__file__).parent / "autoload")
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path != folder]
    os.environ["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, paths)])
    try:
        os.execvp(command[0], command)  # noqa: S606 - the user's own command, and no shell
    except FileNotFoundError:
        sys.stderr.write(f"tenantmetrics-run: no such command: {command[0]!r}\n")
        return _NOT_FOUND
    except OSError as error:
        sys.stderr.write(f"tenantmetrics-run: {command[0]!r} cannot be run: {error.strerror}\n")
        return _NOT_EXECUTABLE
