"""Snapshots of pg_stat_statements, of Debian's PostgreSQL and of 18, by URL and by the Data API."""

from __future__ import annotations

import gzip
from contextlib import closing

import boto3
import psycopg
import pytest

from tenantmetrics.config import load
from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.sql import DataApi, Postgres
from tenantmetrics.serverside.statements import state, take
from tests.serverside.statement_series import ARN, LOOKUP, Series


def test_what_ran_between_two_snapshots_is_written(series):
    """Calls, rows and time of each statement, found by the text that the client sent."""
    series.server.run(LOOKUP, LOOKUP, database="app")
    first = series.take()
    assert first.stretch is None
    assert series.files() == []
    series.pass_time()
    series.server.run(
        *[LOOKUP] * 3,
        "SELECT count(*) FROM bookings WHERE tenant_id IN ('a', 'b', 'c')",
        "UPDATE bookings SET price = price + 1 WHERE id <= 10",
        database="app",
    )
    second = series.take()
    assert second.stretch.end_s - second.stretch.start_s in {300, 301}
    row = series.row(LOOKUP.replace("7", ":id").replace("'acme'", ":t"))
    assert (row["calls"], row["rows"], row["database"]) == (3, 0, "app")
    assert row["summary"] == "SELECT bookings"
    assert row["exec_ns"] > 0
    assert row["blocks_hit"] + row["blocks_read"] > 0
    assert row["gap"] == ""
    assert series.row("UPDATE bookings SET price = price + :n WHERE id <= :m")["rows"] == 10
    assert series.row("SELECT count(*) FROM bookings WHERE tenant_id IN (:a, :b)")["calls"] == 1


def test_our_own_selects_are_left_out(series):
    """A snapshot is not the application's work, the second no more than the first."""
    series.take()
    for _ in range(2):
        series.pass_time()
        series.take()
        # An idle stretch was looked at, and a row says so.
        (row,) = series.rows()
        assert (row["queryid"], row["calls"], row["exec_ns"]) == (0, 0, 0)
        for file in series.files():
            file.unlink()


def test_no_text_is_kept_anywhere(series):
    """Neither in the table nor in the state: literals of utility statements are in the view."""
    series.server.run("CREATE ROLE clerk PASSWORD 'hunter2'", LOOKUP, database="app")
    series.take()
    series.pass_time()
    series.server.run("ALTER ROLE clerk PASSWORD 'hunter3'", LOOKUP, database="app")
    series.take()
    name = state.state_path(tables.source_id(ARN))
    kept = gzip.decompress((series.ledger / name).read_bytes()).decode() + str(series.rows())
    assert "hunter" not in kept
    assert "tenant_id" not in kept
    assert "SELECT bookings" in kept


def test_each_database_of_the_cluster_is_told_apart(debian_series):
    """One connection sees them all."""
    debian_series.take()
    debian_series.pass_time()
    debian_series.server.run("SELECT 1 + 1", database="app")
    debian_series.server.run("SELECT 1 + 1", "SELECT 1 + 1", database="postgres")
    debian_series.take()
    found = {row["database"]: row["calls"] for row in debian_series.rows()}
    assert found == {"app": 1, "postgres": 2}


def test_what_functions_run_is_in_their_callers_time_once(series):
    """With track = all the view has a function's statements too; they must not count twice."""
    series.server.run(
        "CREATE FUNCTION total() RETURNS bigint LANGUAGE plpgsql AS "
        "'BEGIN RETURN (SELECT sum(price) FROM bookings); END'",
        database="app",
    )
    series.take()
    series.pass_time()
    series.server.run("SET pg_stat_statements.track = 'all'; SELECT total()", database="app")
    series.take()
    assert {row["summary"] for row in series.rows()} == {"SET pg_stat_statements.track", "SELECT"}


def test_without_the_extension_it_says_what_to_run(server, tmp_path):
    """Nothing is written."""
    with (
        Postgres(server.url("postgres")) as database,
        pytest.raises(ServerLoadError, match=r"'postgres' has no extension .* CREATE EXTENSION"),
    ):
        take(database, tmp_path, ARN, load(), every_s=300)
    assert list(tmp_path.iterdir()) == []


def test_a_role_without_rights_is_told_the_grant(series):
    """The GRANT that is told is the one that helps, even for a name that needs quotes."""
    series.server.run('CREATE ROLE "Meter" LOGIN', database="app")
    with pytest.raises(ServerLoadError) as caught:
        series.take(url=series.server.url("app", "Meter"))
    assert "'Meter' may not read what other roles ran" in str(caught.value)
    assert list(series.ledger.iterdir()) == []
    series.server.run(str(caught.value).partition(": run ")[2])
    assert series.take(url=series.server.url("app", "Meter")).statements > 0


def test_an_extension_that_tracks_nothing_is_named(debian_series):
    """Settings of a role count, as the server sees them."""
    debian_series.server.run(
        "CREATE ROLE quiet LOGIN SUPERUSER", "ALTER ROLE quiet SET pg_stat_statements.track = none"
    )
    with pytest.raises(ServerLoadError, match=r"set pg_stat_statements.track to top"):
        debian_series.take(url=debian_series.server.url("app", "quiet"))


def test_the_extension_may_lie_in_any_schema(debian_series):
    """Its schema need not be on the search path, and its name may need quotes."""
    debian_series.server.run(
        'CREATE SCHEMA "My Ext"',
        'ALTER EXTENSION pg_stat_statements SET SCHEMA "My Ext"',
        database="app",
    )
    assert debian_series.take().statements > 0


@pytest.mark.parametrize(("version", "note"), [("1.8", "ALTER EXTENSION"), ("1.7", "planning")])
def test_older_views_are_read_for_what_they_tell(debian_series, version, note):
    """The columns of PostgreSQL 13 and 12, which the extension's older versions still have."""
    create = f"CREATE EXTENSION pg_stat_statements VERSION '{version}'"
    debian_series.server.run("DROP EXTENSION pg_stat_statements", database="app")
    try:
        debian_series.server.run(create, database="app")
    except psycopg.errors.InvalidParameterValue:
        pytest.skip(f"this PostgreSQL has no way to version {version} of the extension")
    debian_series.take()
    debian_series.pass_time()
    debian_series.server.run(*[LOOKUP] * 2, database="app")
    outcome = debian_series.take()
    assert debian_series.row(LOOKUP)["calls"] == 2
    assert note in "\n".join(outcome.notes)


def test_texts_as_long_as_the_data_api_takes_them_are_matched(debian_series):
    """Read in pieces, put together, and the same as the client's."""
    text = "SELECT id FROM bookings WHERE " + " OR ".join(
        f"(id = {n} AND tenant_id <> 'ä{n}')" for n in range(1_600)
    )
    assert 50_000 < len(text) < 65_536
    debian_series.take()
    debian_series.pass_time()
    debian_series.server.run(text, database="app")
    debian_series.take()
    assert debian_series.row(text)["calls"] == 1


def test_through_the_data_api_the_same_rows_come(debian_series, cluster, aws_at):
    """Pages of counters and of texts within 1 MiB a response, by the local endpoint."""
    aws_at(cluster.url)
    sent = "INSERT INTO bookings (id, tenant_id) VALUES (:id, CAST(:tenant AS text)) RETURNING id"
    many = [f"SELECT {', '.join(['id'] * n)} FROM bookings LIMIT 1" for n in range(1, 400)]
    with DataApi(cluster.resource_arn, cluster.secret_arn, "app") as database:
        take(database, debian_series.ledger, ARN, load(), every_s=300)
        debian_series.pass_time()
        debian_series.server.run(*many, LOOKUP, LOOKUP, database="app")
        with closing(cluster.client()) as client:
            client.execute_statement(
                resourceArn=cluster.resource_arn,
                secretArn=cluster.secret_arn,
                database="app",
                sql=sent + " -- tenant's own",
                parameters=[
                    {"name": "id", "value": {"longValue": 9_001}},
                    {"name": "tenant", "value": {"stringValue": "acme"}},
                ],
            )
        take(database, debian_series.ledger, ARN, load(), every_s=300)
    assert debian_series.row(sent)["rows"] == 1
    assert debian_series.row(LOOKUP)["calls"] == 2
    assert len([row for row in debian_series.rows() if row["summary"] == "SELECT bookings"]) == 400
    # The endpoint's connections ran nothing of ours that counts.
    summaries = {row["summary"] for row in debian_series.rows()}
    assert summaries <= {"SELECT bookings", "INSERT INTO bookings", "DISCARD ALL"}


def test_a_ledger_on_s3_gets_the_table_and_the_state(debian_server, aws_account):
    """What a scheduled task has is no disk of its own."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="usage")
    series = Series(debian_server, "s3://usage/prod")
    series.take()
    series.pass_time()
    debian_server.run(LOOKUP, database="app")
    outcome = series.take()
    assert outcome.address.startswith("s3://usage/prod/_server/statements/date=")
    assert series.row(LOOKUP)["calls"] == 1
    keys = [item["Key"] for item in client.list_objects_v2(Bucket="usage")["Contents"]]
    assert sorted(key.rsplit(".", 1)[1] for key in keys) == ["gz", "parquet"]
    client.close()


def test_a_data_api_that_is_not_there_is_one_line(unused_port, aws_at, tmp_path):
    """No network, no region, and an ARN that the service does not know."""
    aws_at(f"http://127.0.0.1:{unused_port}")
    with (
        DataApi(ARN, "arn:aws:secretsmanager:us-east-1:123456789012:secret:x", "app") as database,
        pytest.raises(ServerLoadError, match=r"Data API cannot be reached: Could not connect"),
    ):
        take(database, tmp_path, ARN, load(), every_s=300)


def test_a_url_that_leads_nowhere_is_one_line_without_its_password(unused_port):
    """The reason is PostgreSQL's own."""
    with pytest.raises(ServerLoadError, match="PostgreSQL cannot be reached") as caught:
        Postgres(f"postgresql://me:secret@127.0.0.1:{unused_port}/app")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
