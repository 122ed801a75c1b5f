"""Performance Insights read over HTTP, from a double that answers within botocore's own model."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from http.server import ThreadingHTTPServer

import boto3
import botocore.session
import psycopg
import pytest
from moto.backends import get_backend
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.cluster import Cluster, Instance
from tenantmetrics.serverside.days import Day, days
from tenantmetrics.serverside.insights import Insights, read
from tenantmetrics.serverside.names import application_names
from tenantmetrics.serverside.tables import PERFORMANCE_INSIGHTS
from tests.serverside.insights_double import HOUR, NOON, Double, handler

DAY = Day(NOON - 12 * HOUR, NOON)
ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shop"
CLUSTER = Cluster(ARN, "shop", ("shop-1",), may_pause=False)
INSTANCE = Instance("shop-1", "db-ABC", has_insights=True, kept_days=7)


@pytest.fixture
def double(aws_at, moto_url, monkeypatch):
    """The double, on a loopback port that the client is pointed at; RDS is moto's."""
    state = Double()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    aws_at(moto_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_PI", f"http://127.0.0.1:{server.server_port}")
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["smithy-rpc-v2-cbor", "json"])
def protocol(request, monkeypatch):
    """What the client speaks: CBOR in newer releases of botocore, JSON in older ones."""
    loader = botocore.loaders.Loader.load_service_model

    def only(self, service_name, type_name, **more):
        found = loader(self, service_name, type_name, **more)
        if (service_name, type_name) == ("pi", "service-2"):
            metadata = found["metadata"] | {"protocol": request.param, "protocols": [request.param]}
            return found | {"metadata": metadata}
        return found

    monkeypatch.setattr(botocore.loaders.Loader, "load_service_model", only)
    return request.param


def hours(load, *which):
    return {DAY.start_s + hour * HOUR: load for hour in which or range(12)}


def by_hour(found, name):
    return {
        (row["start_s"] - DAY.start_s) // HOUR: row["load_aas"]
        for row in found.rows[DAY]
        if row["name"] == name
    }


def ask(double, **more):
    with Insights() as insights:
        return read(insights, CLUSTER, [INSTANCE], [DAY], "application", **more)


def test_load_is_told_apart_by_name_and_hour(double, protocol):
    """An hour's value stands at its start; the load of all stands under no name."""
    double.load["db-ABC"] = {
        "db.application": {"acme": hours(1.5, 0, 11), "bee": hours(0.25), "idle": hours(0.0)}
    }
    found = ask(double)
    assert by_hour(found, "acme") == {0: 1.5, 11: 1.5}
    assert by_hour(found, "bee") == dict.fromkeys(range(12), 0.25)
    assert by_hour(found, "idle") == {}
    assert by_hour(found, "") == {hour: 1.75 if hour in {0, 11} else 0.25 for hour in range(12)}
    assert (found.names, found.load, found.named) == (2, 6.0, 6.0)
    assert len(double.requests) == 1


def test_more_names_than_one_query_tells_apart_are_found_by_the_hour(double):
    """Of 90 names each hour has another 30: 25 of each are found, and asked for over the day."""
    names = [f"tenant-{number:02}" for number in range(90)]
    double.load["db-ABC"] = {
        "db.application": {
            name: hours(1 + number / 100, *range(number % 3, 12, 3))
            for number, name in enumerate(names)
        }
    }
    found = ask(double)
    assert found.names == 75
    assert found.named == pytest.approx(4 * sum(1 + number / 100 for number in range(15, 90)))
    with_them = ask(double, known=names)
    assert with_them.names == 90
    assert with_them.named == pytest.approx(with_them.load)
    assert max(len(asked["MetricQueries"]) for asked in double.requests) == 15
    assert any("NextToken" in asked for asked in double.requests)


def test_a_name_that_had_no_load_is_no_row(double):
    """Tenants that are asked for and were not there."""
    double.load["db-ABC"] = {"db.application": {"acme": hours(1.0)}}
    found = ask(double, known=["acme", "nobody"])
    assert {row["name"] for row in found.rows[DAY]} == {"", "acme"}


def test_throttling_is_waited_for(double, protocol):
    """Refused because of load, and failed on AWS's side: asked again, each pause up to doubled."""
    double.load["db-ABC"] = {"db.application": {"acme": hours(1.0)}}
    double.failing = [
        ("ThrottlingException", 400, "Rate exceeded"),
        ("InternalServiceError", 500, "again"),
        ("ThrottlingException", 400, "Rate exceeded"),
    ]
    waits = []
    with Insights(wait=waits.append) as insights:
        found = read(insights, CLUSTER, [INSTANCE], [DAY], "application")
    assert found.names == 1
    for pause_s, longest_s in zip(waits, [0.5, 1.0, 2.0], strict=True):
        assert longest_s / 2 <= pause_s <= longest_s


def test_patience_ends(double):
    """One line, when the deadline would pass in the next pause."""
    double.load["db-ABC"] = {}
    double.failing = [("ThrottlingException", 400, "Rate exceeded")] * 50
    now = [0.0]

    def wait(seconds):
        now[0] += seconds

    with (
        Insights(patience_s=60, clock=lambda: now[0], wait=wait) as insights,
        pytest.raises(ServerLoadError, match=r"db-ABC cannot be read .*\(ThrottlingException\)"),
    ):
        read(insights, CLUSTER, [INSTANCE], [DAY], "application")
    assert 30 < now[0] <= 60


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (("NotAuthorizedException", 400, "no"), "allow pi:GetResourceMetrics, and check"),
        (("AccessDeniedException", 400, "no"), "allow pi:GetResourceMetrics"),
        (("InvalidArgumentException", 400, "StartTime is too old"), "StartTime is too old"),
    ],
)
def test_what_is_refused_is_not_asked_again(double, protocol, failure, says):
    """The error's own code, and what to do about it."""
    double.failing = [failure]
    with pytest.raises(ServerLoadError, match=says) as caught:
        ask(double)
    assert failure[0] in str(caught.value)
    assert len(double.requests) == 1


def test_days_end_with_the_last_hour_that_is_settled():
    """A day that is over is whole; one that is not ends some minutes ago."""
    found = days(date(2026, 11, 27), date(2026, 11, 28), NOON + 200)
    assert found == [Day(NOON - 36 * HOUR, NOON - 12 * HOUR), Day(NOON - 12 * HOUR, NOON - HOUR)]
    with pytest.raises(ServerLoadError, match="no hour is over yet of 2026-11-28"):
        days(date(2026, 11, 28), date(2026, 11, 28), NOON - 12 * HOUR + 200)


def rds_cluster(*instances, insights=True):
    client = boto3.client("rds")
    login = {"MasterUsername": "root", "MasterUserPassword": "hunter2hunter2"}
    client.create_db_cluster(DBClusterIdentifier="shop", Engine="aurora-postgresql", **login)
    found = []
    for name in instances:
        made = client.create_db_instance(
            DBInstanceIdentifier=name,
            DBClusterIdentifier="shop",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )
        # Moto takes the setting and does not keep it.
        account = get_backend("rds")["123456789012"]["us-east-1"]
        account.databases[name].performance_insights_enabled = insights
        found.append(made["DBInstance"]["DbiResourceId"])
    client.close()
    return found


def run(*arguments):
    command = ["server-load", "performance-insights", "--cluster", "shop", *map(str, arguments)]
    return CliRunner().invoke(app, command)


def yesterday():
    return int(datetime.now(UTC).timestamp()) // 86_400 * 86_400 - 86_400


def test_the_command_writes_each_day_and_dimension(double, moto_post, tmp_path):
    """Run again it writes the same files; tenants of a file are asked for by PostgreSQL's names."""
    (resource_id,) = rds_cluster("shop-1")
    start_s = yesterday()
    double.load[resource_id] = {
        "db.application": {"acme": {start_s: 2.0}, "b\\xc3\\xa4": {start_s: 1.0}},
        "db.user": {"app": {start_s: 3.0}},
    }
    (tmp_path / "names").write_text("bä\n\nacme\n")
    more = ["--by", "application", "--by", "user", "--names", tmp_path / "names"]
    for _ in range(2):
        result = run("--ledger", tmp_path / "ledger", *more)
        assert result.exit_code == 0, result.output
    assert "2 names of dimension application have 100.0% of 3.00 session hours" in result.stdout
    rows = tables.read(
        tmp_path / "ledger", PERFORMANCE_INSIGHTS, start_s, start_s + HOUR
    ).to_pylist()
    found = {(row["dimension"], row["name"]): row["load_aas"] for row in rows}
    assert found == {
        ("application", ""): 3.0,
        ("application", "acme"): 2.0,
        ("application", "b\\xc3\\xa4"): 1.0,
        ("user", ""): 3.0,
        ("user", "app"): 3.0,
    }
    assert len(list((tmp_path / "ledger").rglob("*.parquet"))) in {2, 4}


def test_a_cluster_without_performance_insights_is_one_line(double, moto_post, tmp_path):
    """What to turn on, and what to use instead; nothing is written."""
    rds_cluster("shop-1", insights=False)
    result = run("--ledger", tmp_path / "ledger")
    assert "off on every instance of cluster 'shop': turn it on" in str(result.exception)
    assert not (tmp_path / "ledger").exists()


def test_days_that_are_not_kept_any_more_are_refused(double, moto_post, tmp_path):
    """Seven days, unless more are paid for."""
    rds_cluster("shop-1")
    result = run("--ledger", tmp_path, "--since", "2024-02-01", "--until", "2024-02-02")
    assert "keeps 7 days, and 2024-02-01 began before" in str(result.exception)


def test_a_period_without_load_is_one_line(double, moto_post, tmp_path):
    """Nothing is written."""
    (resource_id,) = rds_cluster("shop-1")
    double.load[resource_id] = {}
    result = run("--ledger", tmp_path / "ledger")
    assert "has no load of cluster 'shop' from" in str(result.exception)
    assert not (tmp_path / "ledger").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since", "2026-13-01"], "--since"),
        (["--since", "2026-11-02", "--until", "2026-11-01"], "is after"),
        (["--by", "tenant"], "--by"),
    ],
)
def test_wrong_arguments_are_a_usage_error(arguments, says, tmp_path):
    """Exit code 2, and the option by name."""
    result = run("--ledger", tmp_path, *arguments)
    assert result.exit_code == 2
    assert says in result.output


def test_a_file_of_names_that_is_not_there_is_one_line(tmp_path):
    """Before AWS is asked."""
    result = run("--ledger", tmp_path, "--names", tmp_path / "none")
    assert "--names" in str(result.exception)
    assert "No such file" in str(result.exception)


def test_an_unknown_cluster_is_one_line(double, moto_post, tmp_path):
    """RDS's word."""
    result = run("--ledger", tmp_path)
    assert "cluster 'shop' cannot be looked up in RDS (DBClusterNotFoundFault)" in str(
        result.exception
    )


def test_a_tenants_name_is_what_the_server_shows_of_it(server):
    """Cut at 63 bytes, and no byte but ASCII: each PostgreSQL shows one of the forms."""
    for tenant in ["acme", "bä", "ä" * 40, "x" * 80, "it's\t'", "日本"]:
        with psycopg.connect(server.url("app"), autocommit=True) as connection:
            connection.execute("SELECT set_config('application_name', %s, false)", [tenant])
            ((shown,),) = connection.execute(
                "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            ).fetchall()
        assert shown in application_names(tenant)
