"""Athena's API over HTTP, with DuckDB behind it: what is sent is parsed as Athena's SQL and run.

No Athena can be had on a laptop. moto's takes any text and runs none; this one shows what the
queries that really were sent come to, page by page, all of it as text, as Athena's results are.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import pytest
import sqlglot

PAGE = 3


@dataclass
class AthenaServer:
    """What it was asked, and what it is told to do.

    Attributes:
        files: Glob of the Parquet files that the table `books.ledger` reads.
        looks: How often a query is still running when it is looked at.
        end: The state that queries end in.
        requests: What was asked, by operation.
        reason: What it says of a query that failed.
        fails: Only queries with this text end in that state.
        refusal: Code and message with which queries are refused.
    """

    files: str
    looks: int = 2
    end: str = "SUCCEEDED"
    reason: str = "HIVE_BAD_DATA:\n s3://books/x.parquet is not Parquet"
    fails: str = ""
    refusal: tuple[str, str] | None = None
    requests: list[tuple[str, dict]] = field(default_factory=list)
    results: dict[str, list[list[str | None]]] = field(default_factory=dict)
    looked: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def answer(self, operation: str, asked: dict) -> dict:
        self.requests.append((operation, asked))
        return getattr(self, f"_{operation}")(asked)

    def _StartQueryExecution(self, asked):  # noqa: N802 - AWS's name
        if self.refusal is not None:
            raise PermissionError
        query = f"query-{len(self.looked)}"
        self.looked[query] = 0
        self.texts[query] = asked["QueryString"]
        with duckdb.connect() as database:
            database.execute("CREATE SCHEMA books")
            database.execute(
                "CREATE VIEW books.ledger AS SELECT * FROM "
                f"read_parquet('{self.files}', union_by_name=true, hive_types_autocast=false)"
            )
            statements = self.files.replace("/date=*", "/_statements/date=*", 1)
            if any(Path(statements.partition("/date=")[0]).rglob("*.parquet")):
                database.execute(
                    "CREATE VIEW books.ledger_statements AS SELECT * FROM "
                    f"read_parquet('{statements}', hive_types_autocast=false)"
                )
            text = sqlglot.transpile(asked["QueryString"], read="athena", write="duckdb")[0]
            rows = database.execute(text).fetchall()
            names = [column[0] for column in database.description]
        texts = [[None if value is None else str(value) for value in row] for row in rows]
        self.results[query] = [names, *texts]
        return {"QueryExecutionId": query}

    def _GetQueryExecution(self, asked):  # noqa: N802 - AWS's name
        query = asked["QueryExecutionId"]
        self.looked[query] += 1
        end = self.end if self.fails in self.texts[query] else "SUCCEEDED"
        status = {"State": "RUNNING" if self.looked[query] <= self.looks else end}
        if status["State"] == "FAILED":
            status["StateChangeReason"] = self.reason
        return {"QueryExecution": {"QueryExecutionId": query, "Status": status}}

    def _GetQueryResults(self, asked):  # noqa: N802 - AWS's name
        start = int(asked.get("NextToken", 0))
        rows = self.results[asked["QueryExecutionId"]]
        page = [
            {"Data": [{} if value is None else {"VarCharValue": value} for value in row]}
            for row in rows[start : start + PAGE]
        ]
        more = {"NextToken": str(start + PAGE)} if start + PAGE < len(rows) else {}
        return {"ResultSet": {"Rows": page}, **more}

    def _StopQueryExecution(self, asked):  # noqa: N802 - AWS's name
        return {}

    def asked(self, operation: str) -> list[dict]:
        return [request for name, request in self.requests if name == operation]


@pytest.fixture
def athena(monkeypatch, ledger: Path):
    """An Athena whose table `books.ledger` reads the folder's ledger."""
    server = AthenaServer(f"{ledger}/date=*/hour=*/*.parquet")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            operation = self.headers["x-amz-target"].rpartition(".")[2]
            try:
                status, answer = 200, server.answer(operation, asked)
            except PermissionError:
                code, message = server.refusal
                status, answer = 400, {"__type": code, "message": message}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", f"http://127.0.0.1:{listening.server_address[1]}")
    yield server
    listening.shutdown()
    listening.server_close()
    thread.join()
