"""Ctrl-C at moments in which Python itself would show a traceback, or lose it."""

import subprocess
import sys

import pytest

DROPPED = """
import signal, threading, weakref
from tenantmetrics.cli import app, main

class Something:
    pass

def pressed(_):
    signal.raise_signal(signal.SIGINT)

@app.app.command()
def waiting():
    something = Something()
    reference = weakref.ref(something, pressed)
    del something
    threading.Event().wait(60)
    print("nobody pressed anything")

main()
"""

LOADING = """
import signal, sys

module = sys.argv.pop(1)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
from tenantmetrics.cli import main
main()
"""


def run(program, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        **options,
    )


def test_ctrl_c_in_a_callback_that_drops_it_ends_the_command():
    """Python drops what a weak reference's callback raises; imports run such callbacks."""
    done = run(DROPPED, "waiting")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("tenantmetrics.cli.report", ["--version"]),
        ("tenantmetrics.localapi", ["local", "--port", "0"]),
    ],
)
def test_ctrl_c_while_it_loads_ends_it_without_a_word(module, arguments):
    """As it ends any program: by the signal."""
    done = run(LOADING, module, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (-2, "", "")


def test_ctrl_c_is_ignored_where_the_shell_has_it_ignored():
    """A command in the background of a script goes on."""
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    done = run(ignored + LOADING, "tenantmetrics.cli.report", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tenantmetrics ")
