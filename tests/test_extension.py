"""What is added from outside the package, each in under 40 lines."""

import sqlite3
import sys
import textwrap
import types

import pytest
from typer.testing import CliRunner

import tenantmetrics
from benchmarks._stub import CLUSTER, SECRET, client
from tenantmetrics.cli.app import app
from tenantmetrics.config import load
from tenantmetrics.doctor import State, examine
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.registry import build

EXPORTER = '''
"""Windows as lines of JSON in a file: an exporter of another package."""

import json

from tenantmetrics.errors import ConfigError
from tenantmetrics.export.checks import Finding, State
from tenantmetrics.export.destination import Destination


class JsonLines:
    """Appends a line a tenant and window."""

    name = "jsonlines"

    def __init__(self, path):
        self._file = open(path, "a", encoding="utf-8")

    def export(self, windows, deadline_s):
        for window in windows:
            for key, series in window.series.items():
                row = {"start": window.start_s, "tenant": key.tenant, "calls": series.calls}
                print(json.dumps(row), file=self._file, flush=True)

    def close(self):
        self._file.close()


def make(rest, config):
    if not rest:
        raise ConfigError("needs a file: write jsonlines:FILE")
    return JsonLines(rest)


def check(rest, config):
    yield Finding("jsonlines: file", State.OK, f"{rest}, namespace {config.namespace}")


DESTINATION = Destination(name="jsonlines", forms="jsonlines:FILE", make=make, check=check)
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package above, as pip would lay it out."""
    (tmp_path / "acme_jsonlines.py").write_text(EXPORTER)
    about = tmp_path / "acme_jsonlines-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-jsonlines\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        textwrap.dedent("""
            [tenantmetrics.exporters]
            jsonlines = acme_jsonlines:DESTINATION
            plain = acme_jsonlines:make
            broken = acme_jsonlines:nothing
            wrong = acme_jsonlines:json.__name__
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("acme_jsonlines", None)


def one_call(tenant):
    with tenantmetrics.tenant(tenant):
        tenantmetrics.instrument(client()).execute_statement(
            resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT 1"
        )


def test_an_exporter_is_under_40_lines():
    """So short that nobody needs to ask for one."""
    assert len([line for line in EXPORTER.splitlines() if line.strip()]) < 40


@pytest.mark.parametrize("name", ["jsonlines", "plain"])
def test_an_entry_point_names_an_exporter(installed, name):
    """Installed beside tenantmetrics, it is written in `exporters` like one of its own."""
    file = installed / "out.jsonl"
    tenantmetrics.configure(exporters=[f"{name}:{file}"])
    one_call("acme")
    assert tenantmetrics.flush(10)
    tenantmetrics.configure(exporters=["none"])
    assert '"tenant": "acme", "calls": 1' in file.read_text()


def test_doctor_asks_an_exporter_from_outside_too(installed, monkeypatch):
    """It checks itself, like those of this package."""
    config = load({"TENANTMETRICS_EXPORTERS": "jsonlines:x,plain:y"})
    (first, second) = examine(config)
    assert (first.what, first.state) == ("jsonlines: file", State.OK)
    assert second.state is State.OK
    monkeypatch.setenv("TENANTMETRICS_EXPORTERS", "jsonlines:x")
    shown = CliRunner().invoke(app, ["doctor"])
    assert "jsonlines: file" in shown.output


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("jsonlines", "exporters = 'jsonlines' .* needs a file: write jsonlines:FILE"),
        ("broken:x", "cannot be imported: AttributeError from acme_jsonlines:nothing"),
        ("wrong:x", "is neither a Destination nor a function"),
        ("jsonline:x", "unknown exporter, known are ledger:FOLDER.*jsonlines"),
    ],
)
def test_an_entry_point_that_does_not_work_is_one_clear_line(installed, spec, says):
    """Told at start, with the setting."""
    assert installed
    with pytest.raises(ConfigError, match=says):
        build([spec], load({"TENANTMETRICS_EXPORTERS": spec}))


class Kept:
    """An exporter of the application's own, in the application's own code."""

    name = "kept"

    def __init__(self):
        self.tenants = []
        self.closed = 0

    def export(self, windows, deadline_s):
        assert not self.closed
        assert deadline_s > 0
        self.tenants += [key.tenant for window in windows for key in window.series]

    def close(self):
        self.closed += 1


def test_an_object_is_an_exporter(tmp_path):
    """Beside names; it goes on through another `configure`, and is closed once, at the end."""
    kept = Kept()
    tenantmetrics.configure(exporters=[kept, f"ledger:{tmp_path}"])
    one_call("acme")
    tenantmetrics.configure(exporters=[kept])
    one_call("bee")
    assert tenantmetrics.flush(10)
    assert kept.tenants == ["acme", "bee"]
    assert kept.closed == 0
    tenantmetrics.configure(exporters=["none"])
    assert kept.closed == 1
    assert len(list(tmp_path.glob("date=*/*/*.parquet"))) == 1


def test_an_object_that_is_no_exporter_is_refused():
    """With what it has to have."""
    with pytest.raises(ConfigError, match="objects with a name and the methods export and close"):
        tenantmetrics.configure(exporters=[Kept(), object()])
    kept = Kept()
    with pytest.raises(ConfigError, match=r"exporters = kept .* given twice"):
        tenantmetrics.configure(exporters=[kept, kept])


ADAPTER = '''
"""A metered sqlite3-like connection: an adapter of another package."""

from itertools import count
from time import monotonic_ns

from tenantmetrics.capture.recorder import recorder
from tenantmetrics.capture.request import PythonValues, Request
from tenantmetrics.records import OK, SessionKind, Transition

_keys = count()


class Metered:
    """Passes everything on to a connection, and measures it."""

    def __init__(self, connection, host):
        self._connection, self._host = connection, host
        self._key = f"outside-{next(_keys)}"

    def _run(self, operation, work, sql="", values=(), transition=Transition.NONE):
        request = Request(
            operation, sql, PythonValues(values), self._key, self._host,
            session_kind=SessionKind.CONNECTION, transition=transition,
            in_transaction=self._connection.in_transaction,
        )
        counted, outcome = recorder.start(request), OK
        try:
            return work()
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            if counted:
                recorder.finish(request, monotonic_ns(), outcome=outcome)

    def execute(self, sql, values=()):
        return self._run("execute", lambda: self._connection.execute(sql, values), sql, values)

    def commit(self):
        return self._run("commit", self._connection.commit, transition=Transition.COMMIT)
'''


class BySubdomain:
    """A tenant source of the application's own: whom the request at hand is for."""

    def __init__(self):
        self.host = None

    def tenant(self, request):
        assert request.operation
        return self.host.partition(".")[0] if self.host else None


class Numbered(sqlite3.Connection):
    """Takes `$1` and values by position, as PostgreSQL's drivers do; to SQLite, 1 is a name."""

    def execute(self, sql, values=()):
        if not isinstance(values, dict):
            values = {str(number): value for number, value in enumerate(values, start=1)}
        return super().execute(sql, values)


@pytest.fixture
def metered():
    """A connection behind the adapter, loaded as code that this package does not know."""
    outside = types.ModuleType("outside")
    exec(ADAPTER, outside.__dict__)
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=Numbered)
    connection.execute("CREATE TABLE rooms (tenant_id text, name text)")
    yield outside.Metered(connection, "db.example:5432")
    connection.close()
    tenantmetrics.configure(exporters=["none"])


def attributed(kept):
    assert tenantmetrics.flush(10)
    return list(zip(kept.operations, kept.tenants, strict=True))


class Series(Kept):
    """Keeps operations too."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def export(self, windows, deadline_s):
        super().export(windows, deadline_s)
        self.operations += [key.operation for window in windows for key in window.series]
        assert all(not one.billed_requests for window in windows for one in window.series.values())


def test_an_adapter_is_under_40_lines():
    """So short that another client is an afternoon's work."""
    assert len([line for line in ADAPTER.splitlines() if line.strip()]) < 40


def test_an_adapter_from_outside_is_metered_like_a_client_of_ours(metered):
    """By name or by position, with the answer and the error as they are; nothing is billed."""
    kept = Series()
    tenantmetrics.configure(exporters=[kept])
    metered.execute("INSERT INTO rooms (tenant_id, name) VALUES ($1, $2)", ("acme", "red"))
    rows = metered.execute("SELECT name FROM rooms WHERE tenant_id = :t", {"t": "acme"})
    assert rows.fetchall() == [("red",)]
    with pytest.raises(sqlite3.OperationalError):
        metered.execute("SELECT * FROM nowhere WHERE tenant_id = :t", {"t": "bee"})
    found = attributed(kept)
    assert sorted(found) == [("execute", "acme"), ("execute", "bee")]
    assert tenantmetrics.stats()["losses"] == {}


def test_a_source_of_ones_own_names_the_tenant(metered):
    """Beside the names of the others, at its own place."""
    own, kept = BySubdomain(), Series()
    tenantmetrics.configure(exporters=[kept], tenant_sources=["context", own, "statement"])
    own.host = "acme.example"
    metered.execute("SELECT 1")
    own.host = None
    metered.execute("SELECT name FROM rooms WHERE tenant_id = :t", {"t": "bee"})
    assert sorted(attributed(kept)) == [("execute", "acme"), ("execute", "bee")]


def test_a_source_of_ones_own_that_fails_costs_its_answer_and_nothing_else(metered):
    """It is counted, and the next source is asked."""

    class Broken:
        def tenant(self, request):
            raise RuntimeError("theirs")

    kept = Series()
    tenantmetrics.configure(exporters=[kept], tenant_sources=[Broken(), "statement"])
    metered.execute("SELECT name FROM rooms WHERE tenant_id = :t", {"t": "bee"})
    assert attributed(kept) == [("execute", "bee")]
    assert tenantmetrics.stats()["losses"] == {"tenant_error": 1}


def test_what_is_no_source_is_refused():
    """With what it has to have."""
    with pytest.raises(ConfigError, match=r"names, or objects with a method tenant\(request\)"):
        tenantmetrics.configure(exporters=["none"], tenant_sources=["context", object()])
