"""The version-1 switch: what Aurora Serverless v1 did differently."""

import aurora_data_api
import pytest

from tenantmetrics.localapi import serve


@pytest.fixture
def v1(data_api_endpoint):
    with serve(postgres=data_api_endpoint.psycopg_url, version=1) as endpoint:
        client = endpoint.client()
        arns = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        yield lambda method, **arguments: getattr(client, method)(**arns, **arguments), client
        client.close()


def test_several_statements_run_and_the_first_answers(v1):
    """Version 2 refuses them."""
    run, _ = v1
    assert run("execute_statement", sql="SELECT 1; SELECT 2")["records"] == [[{"longValue": 1}]]


def test_an_error_of_the_database_has_the_form_of_that_time(v1):
    """The lines of JDBC's driver under one code, the SQLSTATE at the end."""
    run, client = v1
    with pytest.raises(client.exceptions.BadRequestException) as caught:
        run("execute_statement", sql="SELECT 1 FROM nowhere")
    assert caught.value.response["Error"]["Message"] == (
        'ERROR: relation "nowhere" does not exist\n  Position: 15; SQLState: 42P01'
    )


def test_schema_is_the_search_path(v1):
    """Version 2 refuses it."""
    run, _ = v1
    sql = "SELECT current_setting('search_path')"
    response = run("execute_statement", sql=sql, schema="My schema")
    assert response["records"] == [[{"stringValue": '"My schema"'}]]


def test_an_interval_is_a_text(v1):
    """Version 2 refuses it."""
    run, _ = v1
    response = run("execute_statement", sql="SELECT '1 day'::interval")
    assert response["records"] == [[{"stringValue": "1 day"}]]


def test_json_keeps_postgresqls_spaces(v1):
    """Version 2 writes it compact."""
    run, _ = v1
    response = run("execute_statement", sql="""SELECT '{"b":1,"a":[1,2]}'::jsonb""")
    assert response["records"] == [[{"stringValue": '{"a": [1, 2], "b": 1}'}]]


@pytest.mark.parametrize(
    ("moment", "shown"),
    [("15:30-08", "23:30:00"), ("00:30:15.25+05:30", "19:00:15.25"), ("23:00:00-01", "00:00:00"),
     ("12:00:00+00:00:01", "11:59:59")],
)  # fmt: skip
def test_a_time_with_an_offset_is_moved_to_utc(v1, moment, shown):
    """What the tests of `typeorm-aurora-data-api-driver` wait for."""
    run, _ = v1
    response = run("execute_statement", sql=f"SELECT '{moment}'::timetz")
    assert response["records"] == [[{"stringValue": shown}]]


def test_array_parameters_are_refused(v1):
    """As version 1's documentation says."""
    run, client = v1
    value = [{"name": "a", "value": {"arrayValue": {"longValues": [1]}}}]
    with pytest.raises(client.exceptions.BadRequestException, match="Array parameters"):
        run("execute_statement", sql="SELECT :a", parameters=value)


def test_execute_sql_answers_each_statement(data_api_endpoint, v1, call_execute_sql):
    """ExecuteSql is version 1's own, deprecated; botocore still has it."""
    _, client = v1
    results = call_execute_sql(
        client,
        "CREATE TEMP TABLE t (a int8, b bool, c text[]);"
        " INSERT INTO t VALUES (1, true, '{x,NULL}');"
        " SELECT * FROM t",
    )
    assert [result["numberOfRecordsUpdated"] for result in results] == [0, 1, -1]
    (record,) = results[2]["resultFrame"]["records"]
    assert record["values"] == [
        {"bigIntValue": 1},
        {"bitValue": True},
        {"arrayValues": [{"stringValue": "x"}, {"isNull": True}]},
    ]
    metadata = results[2]["resultFrame"]["resultSetMetadata"]
    assert metadata["columnCount"] == 3


@pytest.fixture
def call_execute_sql(data_api_endpoint):
    def call(client, statements):
        return client.execute_sql(
            dbClusterOrInstanceArn=data_api_endpoint.resource_arn,
            awsSecretStoreArn=data_api_endpoint.secret_arn,
            sqlStatements=statements,
        )["sqlStatementResults"]

    return call


def test_version_two_has_no_execute_sql(data_api, call_execute_sql):
    """It names what to use instead."""
    with pytest.raises(data_api.client.exceptions.BadRequestException, match="ExecuteStatement"):
        call_execute_sql(data_api.client, "SELECT 1")


def test_aurora_data_api_pages_a_large_result(v1, data_api_endpoint):
    """Version 1's size error is what the client answers with a cursor, in the same transaction."""
    _, client = v1
    with (
        aurora_data_api.connect(
            aurora_cluster_arn=data_api_endpoint.resource_arn,
            secret_arn=data_api_endpoint.secret_arn,
            rds_data_client=client,
            database="postgres",
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT n, repeat('x', 500) FROM generate_series(1, 4000) n")
        rows = cursor.fetchall()
    assert [row[0] for row in rows] == list(range(1, 4001))
