"""Fingerprints against the view itself: what clients send, and what each PostgreSQL shows of it."""

import json
from pathlib import Path

import psycopg

from tenantmetrics import sqltext
from tenantmetrics.sqltext.fingerprint import fingerprint

CASES = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "fingerprints.json").read_text(encoding="utf-8")
)
TABLE = "CREATE TABLE book (id int, kind text, price numeric, at timestamptz, flag bool)"
SHOWN = "SELECT query FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'"
BEFORE = {"SAVEPOINT": "BEGIN", "SET LOCAL": "BEGIN", "ROLLBACK TO": "BEGIN; SAVEPOINT one",
          "RELEASE": "BEGIN; SAVEPOINT one"}  # fmt: skip


def shown(connection, case):
    """Run a statement as the Data API does, with `$1` for `:name`; the texts that the view has."""
    names = []

    def positional(found):
        if found.name not in names:
            names.append(found.name)
        return f"${names.index(found.name) + 1}"

    text = sqltext.rewrite(case["client"], positional, case["parameters"])
    connection.execute("SELECT pg_stat_statements_reset()")
    for beginning, setup in BEFORE.items():
        if text.startswith(beginning):
            connection.pgconn.exec_(setup.encode())
    values = [case["parameters"][name].encode() for name in names]
    done = connection.pgconn.exec_params(text.encode(), values)
    assert not done.error_message, done.error_message
    if connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
        connection.execute("ROLLBACK")
    return [text for (text,) in connection.execute(SHOWN)]


def test_postgresql_shows_texts_with_the_clients_fingerprints(server):
    """On Debian's PostgreSQL and on 18, of queries and of utility statements."""
    missed = {}
    with psycopg.connect(server.url("app"), autocommit=True, prepare_threshold=None) as connection:
        for case in CASES:
            connection.execute("DROP TABLE IF EXISTS book, made")
            connection.execute(TABLE)
            texts = shown(connection, case)
            if fingerprint(case["client"]) not in {fingerprint(text) for text in texts}:
                missed[case["client"]] = texts
    assert not missed
