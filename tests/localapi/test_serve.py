"""What `serve` says of an address, a PostgreSQL, roles and clusters that it is given."""

import contextlib
import errno
import socket

import psycopg
import pytest
from botocore.exceptions import ClientError

from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi import Cluster, Secret, serve
from tenantmetrics.localapi.postgres import embedded


def test_a_port_in_use_is_one_clear_line():
    """Before PostgreSQL is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalApiError, match=f"port {port}.*another") as told, serve(port=port):
            pass
    assert told.value.fields == ("port",)


def test_a_loopback_interface_that_is_down_is_one_clear_line(monkeypatch):
    """As in a network namespace that nobody set up: one can listen there, and not connect."""

    class Unrouted(socket.socket):
        def connect(self, address):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Unrouted)
    wanted = r"can connect to 127\.0\.0\.1 \(Network is unreachable\).*loopback interface"
    with pytest.raises(LocalApiError, match=wanted), serve():
        pass


@pytest.mark.parametrize(
    ("url", "complaint"),
    [("postgresql://127.0.0.1:1/x", "cannot be reached"), ("nonsense", "not a valid Postgre")],
)
def test_a_wrong_url_is_one_clear_line(url, complaint):
    """Known at start, not at the first call."""
    with pytest.raises(LocalApiError, match=complaint) as caught, serve(postgres=url):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("role", ["", "pg_mine"])
def test_a_role_that_postgresql_refuses_is_one_clear_line(role):
    """Which one, and why."""
    complaint = f"role '{role}' cannot be made"
    with pytest.raises(LocalApiError, match=complaint) as caught, serve(roles=[role]):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("statement", [None, "CREATE ROLE free LOGIN BYPASSRLS"])
def test_a_role_that_bypasses_row_level_security_is_refused(statement, folder):
    """A superuser, or a role with BYPASSRLS that kept data has."""
    if statement is not None:
        with embedded(folder / "data") as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)
    role = "free" if statement is not None else "postgres"
    with (
        pytest.raises(LocalApiError, match=f"role '{role}' bypasses row-level security"),
        serve(data=folder / "data", roles=[role]),
    ):
        pass


def test_a_role_is_bound_by_row_level_security(data_api_endpoint):
    """No superuser, no BYPASSRLS: what the demo's isolation rests on."""
    with serve(roles=["tenant_app"]) as endpoint:
        client = endpoint.client()
        admin = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        for sql in (
            "CREATE TABLE t (tenant text)",
            "INSERT INTO t VALUES ('a'), ('b')",
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY p ON t USING (tenant = current_setting('app.tenant', true))",
            "GRANT SELECT ON t TO tenant_app",
        ):
            client.execute_statement(**admin, sql=sql)
        app = {**admin, "secretArn": endpoint.secret_arns["tenant_app"]}
        assert client.execute_statement(**app, sql="SELECT * FROM t")["records"] == []
        transaction = client.begin_transaction(**app)["transactionId"]
        inside = {**app, "transactionId": transaction}
        client.execute_statement(**inside, sql="SELECT set_config('app.tenant', 'a', true)")
        seen = client.execute_statement(**inside, sql="SELECT * FROM t")["records"]
        client.commit_transaction(**inside)
        client.close()
    assert seen == [[{"stringValue": "a"}]]


def test_several_clusters_and_secrets(data_api_endpoint):
    """Each cluster is a database of its own, each secret a role."""
    url = data_api_endpoint.psycopg_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE second")
        connection.execute("CREATE ROLE reader LOGIN")
    arn = "arn:aws:rds:eu-west-1:1:cluster:"
    secret = "arn:aws:secretsmanager:eu-west-1:1:secret:"
    with serve(
        clusters=[Cluster(arn + "one", url), Cluster(arn + "two", url, "second")],
        secrets=[Secret(secret + "admin"), Secret(secret + "reader", "reader")],
    ) as endpoint:
        client = endpoint.client()
        seen = {
            (cluster, who): client.execute_statement(
                resourceArn=arn + cluster,
                secretArn=secret + who,
                sql="SELECT current_database()::text, current_user::text",
            )["records"][0]
            for cluster in ("one", "two")
            for who in ("admin", "reader")
        }
        client.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE second WITH (FORCE)")
        connection.execute("DROP ROLE reader")
    texts = {key: tuple(field["stringValue"] for field in row) for key, row in seen.items()}
    assert texts == {
        ("one", "admin"): ("postgres", "postgres"),
        ("one", "reader"): ("postgres", "reader"),
        ("two", "admin"): ("second", "postgres"),
        ("two", "reader"): ("second", "reader"),
    }


@pytest.mark.parametrize("first", ["embedded", None])
def test_a_second_cluster_that_cannot_be_reached_is_known_at_start(data_api_endpoint, first):
    """And the message says which; one after an embedded one, too."""
    arn = "arn:aws:rds:eu-west-1:1:cluster:"
    one = Cluster(arn + "one", first or data_api_endpoint.psycopg_url)
    two = Cluster(arn + "two", "postgresql://me:secret@127.0.0.1:1/x")
    wanted = f"PostgreSQL of {arn}two cannot be reached: .*Connection refused"
    with pytest.raises(LocalApiError, match=wanted) as caught, serve(clusters=[one, two]):
        pass
    assert "secret" not in str(caught.value)


def test_a_cluster_that_went_away_is_named_with_the_reason():
    """Of a call, and of a transaction's beginning."""
    arn = "arn:aws:rds:eu-west-1:1:cluster:gone"
    with contextlib.ExitStack() as postgres:
        url = postgres.enter_context(embedded())
        with serve(clusters=[Cluster(arn, url)]) as endpoint:
            client = endpoint.client()
            where = {"resourceArn": arn, "secretArn": endpoint.secret_arn}
            postgres.close()
            wanted = f"The database of {arn} cannot be reached: .+"
            with pytest.raises(ClientError, match=wanted):
                client.execute_statement(**where, sql="SELECT 1")
            with pytest.raises(ClientError, match=wanted):
                client.begin_transaction(**where)
            client.close()


def test_any_arn_is_taken_where_asked_for(data_api_endpoint):
    """For suites whose ARNs cannot be changed."""
    with serve(postgres=data_api_endpoint.psycopg_url, accept_any_arn=True) as endpoint:
        client = endpoint.client()
        arn = "arn:aws:rds:us-east-1:1:cluster:whatever"
        response = client.execute_statement(resourceArn=arn, secretArn=arn, sql="SELECT 1")
        client.close()
    assert response["records"] == [[{"longValue": 1}]]
