"""Usage from exported logs, of documents that the EMF exporter wrote."""

from __future__ import annotations

import gzip
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantmetrics.catalog import OTHER, Level
from tenantmetrics.cost import monthly
from tenantmetrics.cost.sources.emf import read_document
from tenantmetrics.cost.sources.staging import Staging
from tenantmetrics.cost.statement import LineKind
from tenantmetrics.errors import ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import OVERFLOW, SHARED, UNATTRIBUTED

NAMES = ["acme", "b\u00e9e \U0001f41d", '<script>"', r"CORP\nick", UNATTRIBUTED, OVERFLOW]


def exported(lines, moment="2026-11-20T21:45:00.000Z"):
    """Lines as CloudWatch Logs exports them to S3."""
    return "".join(f"{moment} {line}\n" for line in lines)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9), min_size=1),
        min_size=1,
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=settings.default.max_examples // 6, suppress_health_check=list(HealthCheck))
def test_usage_from_logs_is_the_ledgers(tmp_path_factory, window, lines, hours, rng):
    """In any order, in any split over files, with any lines twice: the same statement."""
    folder = tmp_path_factory.mktemp("usage")
    windows = [
        window(
            f"2026-11-20T{hour:02}:{rng.randint(0, 59):02}", tenants, losses={"queue_full": hour}
        )
        for hour, tenants in enumerate(hours)
    ]
    LedgerExporter(folder / "ledger").export(windows, float("inf"))
    written = lines(*windows)
    twice = written + rng.sample(written, rng.randint(0, len(written)))
    rng.shuffle(twice)
    cut = rng.randint(0, len(twice))
    logs = folder / "logs"
    (logs / "task" / "stream").mkdir(parents=True)
    (logs / "task" / "stream" / "000000.gz").write_bytes(
        gzip.compress(exported(twice[:cut]).encode())
    )
    (logs / "plain.log").write_text("START RequestId: 1\n" + exported(twice[cut:]))
    of_logs = monthly(logs, month="2026-11")
    of_ledger = monthly(folder / "ledger", month="2026-11")
    assert of_logs.lines == of_ledger.lines
    assert of_logs.pools == of_ledger.pools
    lost = [note for note in of_ledger.notes if "Writers lost" in note]
    assert [note for note in of_logs.notes if "Writers lost" in note] == lost


@pytest.fixture
def written(tmp_path, window, lines):
    """One window's documents, and the file they stand in once `save` has written it."""
    documents = lines(window("2026-11-20T21:45", {"acme": 3, "bee": 5}))
    path = tmp_path / "logs" / "stream.log"
    path.parent.mkdir()
    return documents, path


def calls(statement):
    return {line.tenant: line.usage.calls for line in statement.lines if line.usage.calls}


def insights(documents, status="Complete"):
    rows = [[{"field": "@ptr", "value": "x"}, {"field": "@message", "value": d}] for d in documents]
    return json.dumps({"queryLanguage": "CWLI", "results": rows, "status": status}, indent=1)


def events(documents, name="events"):
    return json.dumps({name: [{"timestamp": 1, "message": d} for d in documents]}, indent=1)


FORMS = {
    "json lines": "\n".join,
    "tail": lambda ds: "".join(f"2026-11-20T21:45:00+00:00 a/[b]c {d}\n" for d in ds),
    "filter-log-events": events,
    "two pages": lambda ds: events(ds[:2]) + "\n" + events(ds[1:]),
    "insights": insights,
    "firehose": lambda ds: "".join(
        '{"messageType":"DATA_MESSAGE",' + events([d], "logEvents")[1:] for d in ds
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_form_that_cloudwatch_logs_hands_out_is_read(written, form, pack):
    """A single file is enough, whatever its name, packed or not."""
    documents, path = written
    path.write_bytes(pack(FORMS[form](documents).encode()))
    assert calls(monthly(path)) == calls(monthly(path.parent)) == {"acme": 4, "bee": 6}


def test_what_other_applications_log_is_passed_over(written):
    """Text, other JSON, another's EMF, bytes that are no text, the export's own test file."""
    documents, path = written
    foreign = [
        '{"level": "info"}',
        '{"_aws": {"CloudWatchMetrics": []}, "x": 1}',
        "{",
        "",
        "\u2028",
    ]
    path.write_bytes("\n".join([*foreign, *documents, *foreign]).encode() + b"\n\xff\xfe\n")
    (path.parent / "aws-logs-write-test").write_text("Permission Check Successful")
    (path.parent / ".hidden").write_text("x")
    assert calls(monthly(path.parent)) == {"acme": 4, "bee": 6}


def broken(document, **members):
    return json.dumps({**json.loads(document), **members})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda d: d[:150], "truncated or not JSON"),
        (lambda d: d.replace('"WindowSequence"', '"Window"'), "'WindowSequence'"),
        (lambda d: d.replace('"Milliseconds"', '"Seconds"'), "not in milliseconds"),
        (lambda d: broken(d, DatabaseErrors="5"), "'5' is not a valid amount"),
        (lambda d: broken(d, DatabaseErrors=float("nan")), "nan is not a valid amount"),
        (lambda d: broken(d, DatabaseErrors=-1), "-1 is not a valid amount"),
        (
            lambda d: broken(d, DatabaseErrors={"Values": [1], "Counts": [0.5]}),
            "0.5 is not a valid count",
        ),
        (lambda d: broken(d, DatabaseErrors={"Values": [1, 2], "Counts": [1]}), "shorter|longer"),
        (lambda d: broken(d, WindowStart=True), "not a whole number"),
        (lambda d: broken(d, WindowStart=1.5), "not a whole number"),
        (lambda d: broken(d, WindowStart=10**30), "not a whole number"),
        (lambda d: broken(d, DatabaseErrors=2**54), "is too large"),
        (lambda d: broken(d, DatabaseDuration=1e300), "is too large"),
        (lambda d: broken(d, Writer=5), "a name is not a string"),
        (lambda d: broken(d, TenantId="a\ud800"), "a name is not a string"),
        (
            lambda d: d.replace('"DatabaseErrors": ', '"DatabaseErrors": ' + "[" * 9_999),
            "truncated",
        ),
        (lambda d: broken(d, _aws={}), "'CloudWatchMetrics'"),
        (lambda d: broken(d, _aws=7), "missing or wrong"),
    ],
)
def test_a_broken_document_is_named_by_file_and_line(written, damage, reason):
    """One line; with --skip-corrupt a draft that says what is not in it, and no cost is lost."""
    documents, path = written
    at = next(n for n, d in enumerate(documents) if '"TenantId": "bee"' in d)
    documents[at] = damage(documents[at])
    path.write_text(exported(documents))
    with pytest.raises(ReportError, match=reason) as caught:
        monthly(path.parent, month="2026-11")
    assert f"'stream.log' line {at + 1} (" in str(caught.value)
    assert caught.value.fields == ("skip_corrupt",)
    assert "\n" not in str(caught.value)
    statement = monthly(path.parent, month="2026-11", skip_corrupt=True)
    assert f"line {at + 1}" in statement.left_out
    assert any("left out" in reason for reason in statement.draft)
    # The fleet's document says what is missing.
    assert calls(statement) == {"acme": 4, UNATTRIBUTED: 6}
    assert any("6 calls that no tenant's document has" in note for note in statement.notes)


def test_a_truncated_gzip_file_is_named_and_its_good_part_can_be_used(written):
    """What was read before the cut counts, and the rest is told."""
    documents, path = written
    whole = gzip.compress(exported(documents * 50).encode(), mtime=0)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReportError, match=r"'stream.log' line \d+ \(the gzip stream is cut short"):
        monthly(path.parent, month="2026-11")
    assert calls(monthly(path.parent, month="2026-11", skip_corrupt=True)) == {"acme": 4, "bee": 6}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (lambda ds: insights(ds, "Running"), "event 0 .the query is 'Running', not complete"),
        (lambda ds: insights(ds)[:-20], "cut short or wrong in line"),
        (lambda ds: events(ds).replace('"message"', '"text"'), "an event has no message"),
        (lambda ds: insights(ds * 2_000), "10,000 results are all that a query gives"),
        (lambda ds: '{"events": []}' + '{"events": []} 5', "is no answer of CloudWatch Logs"),
    ],
)
def test_an_answer_that_is_not_whole_is_refused(written, text, error):
    """A query that still runs, a file that is cut, more results than a query gives."""
    documents, path = written
    path.write_text(text(documents))
    with pytest.raises(ReportError, match=error):
        monthly(path, month="2026-11")


def test_two_documents_of_one_window_that_differ_are_refused_by_place(written):
    """Neither can be believed."""
    documents, path = written
    path.write_text(exported(documents))
    at = next(n for n, d in enumerate(documents) if '"TenantId": "bee"' in d)
    (path.parent / "z.log").write_text(broken(documents[at], DatabaseErrors=7) + "\n")
    with pytest.raises(ReportError, match="claim to be the same window and differ") as caught:
        monthly(path.parent, month="2026-11")
    assert f"stream.log' line {at + 1}" in str(caught.value)
    assert "z.log' line 1" in str(caught.value)


def test_overlapping_exports_count_once_and_are_told(written):
    """The same documents in two files, one of them packed."""
    documents, path = written
    path.write_text(exported(documents))
    (path.parent / "again.gz").write_bytes(gzip.compress(exported(documents).encode()))
    statement = monthly(path.parent)
    assert calls(statement) == {"acme": 4, "bee": 6}
    assert any("3 documents were copies" in note for note in statement.notes)


def test_windows_that_differ_in_writer_or_number_are_no_duplicates(tmp_path, window, lines):
    """Two processes, and a flush in the middle of a minute, with the same calls."""
    same = [window("2026-11-20T21:45", {"acme": 2}, writer=w) for w in ("a", "b", "b")]
    path = tmp_path / "x.log"
    path.write_text(exported(lines(*same)))
    assert calls(monthly(path)) == {"acme": 9}


def test_windows_that_are_missing_between_others_are_told(tmp_path, window, lines):
    """Their numbers are: a writer counts its windows, those without a call too."""
    windows = [window(f"2026-11-20T21:{n}", {"acme": 1} if n % 2 else {}) for n in range(40, 50)]
    path = tmp_path / "x.log"
    path.write_text(exported(lines(*windows)))
    assert not any("missing" in note for note in monthly(path).notes)
    path.write_text(exported(lines(*windows[:3], *windows[5:])))
    assert any(note.startswith("2 windows are missing") for note in monthly(path).notes)


def test_a_period_without_documents_says_what_is_there(written, tmp_path):
    """And logs without any say what to export; no temporary folder is named."""
    documents, path = written
    path.write_text(exported(documents))
    with pytest.raises(ReportError, match=r"nothing for 2026-10 \(2026-11-20 to 2026-11-20 is"):
        monthly(path.parent, month="2026-10")
    path.write_text("hello\n")
    for month in (None, "2026-11"):
        with pytest.raises(ReportError, match="nor a document of the EMF exporter: export the log"):
            monthly(path.parent, month=month)


def test_the_months_borders_are_those_of_the_zone(tmp_path, window, lines):
    """18:29 UTC on the last of October is October in Kolkata, 18:30 November."""
    moments = {"2026-10-31T18:29": 1, "2026-10-31T18:30": 2, "2026-11-30T18:30": 4}
    windows = [window(moment, {"acme": n}, failed=0) for moment, n in moments.items()]
    path = tmp_path / "x.log"
    path.write_text(exported(lines(*windows)))
    assert calls(monthly(path, month="2026-11", timezone="Asia/Kolkata")) == {"acme": 2}
    assert calls(monthly(path, month="2026-10", timezone="Asia/Kolkata")) == {"acme": 1}


def test_the_essential_level_has_no_bytes_and_rows_and_the_notes_say_so(tmp_path, window, lines):
    """What rows divide is shared; tenants past the cap are one line that is no tenant's."""
    one = window("2026-11-20T21:45", {"acme": 30, "bee": 2, "cat": 1})
    path = tmp_path / "x.log"
    path.write_text(exported(lines(one, level=Level.ESSENTIAL, max_tenants=1)))
    bill = tmp_path / "focus.csv"
    bill.write_text(
        "BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,x_UsageType\n"
        "9,USD,2026-11-01T00:00:00Z,Usage,2026-11-01T00:00:00Z,Aurora:StorageIOUsage\n"
    )
    statement = monthly(path, bill=bill)
    assert {line.tenant: line.total for line in statement.lines if line.total} == {SHARED: 9}
    assert {line.tenant: line.kind for line in statement.lines if line.usage.calls} == {
        "acme": LineKind.TENANT,
        OTHER: LineKind.OVERFLOW,
    }
    assert any("essential metric level" in note for note in statement.notes)
    assert any(f"{OTHER} holds" in note for note in statement.notes)


def test_two_namespaces_in_one_export_are_told(tmp_path, window, lines):
    """They may be two stages of one application, or a mistake."""
    path = tmp_path / "x.log"
    first = lines(window("2026-11-20T21:45", {"acme": 1}), namespace="Prod")
    second = lines(window("2026-11-20T21:46", {"acme": 1}), namespace="Dev")
    path.write_text(exported(first + second))
    assert any("several namespaces is added up: Dev, Prod" in note for note in monthly(path).notes)


def test_random_damage_is_never_more_than_a_clear_error(written, tmp_path):
    """Half a document, flipped bytes: what is still taken for a document can be summed."""
    documents, _ = written
    rng = random.Random(5)
    taken = 0
    with Staging(tmp_path) as staging:
        for _ in range(4_000):
            line = bytearray(rng.choice(documents).encode())
            for _ in range(rng.randint(1, 2)):
                line[rng.randrange(len(line))] = rng.randrange(*rng.choice([(32, 127), (0, 256)]))
            cut = rng.choice([len(line), rng.randint(0, len(line))])
            try:
                document = read_document(bytes(line[:cut]))
            except ValueError as error:
                assert str(error)  # noqa: PT017 - any other exception fails the test
                continue
            if document is not None:
                # Damage may pass for another number of the same window.
                staging.add(document._replace(writer=str(taken)))
                taken += 1
        assert staging.finish().documents > 10


def test_documents_of_earlier_releases_have_their_billed_requests(written):
    """They had BilledRequests as a metric of its own, where DatabaseLoad is now."""
    documents, path = written
    old = []
    for text in documents:
        document = json.loads(text)
        if "DatabaseLoad" in document:
            document["BilledRequests"] = sum(document.pop("DatabaseLoad")["Counts"])
            (directive,) = document["_aws"]["CloudWatchMetrics"]
            for one in directive["Metrics"]:
                if one["Name"] == "DatabaseLoad":
                    one.update(Name="BilledRequests", Unit="Count")
        old.append(json.dumps(document))
    path.write_text(exported(documents))
    wanted = {line.tenant: line.usage.billed_requests for line in monthly(path.parent).lines}
    path.write_text(exported(old))
    found = {line.tenant: line.usage.billed_requests for line in monthly(path.parent).lines}
    assert found == wanted
    assert sum(found.values()) > 0
