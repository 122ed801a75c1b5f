"""Snapshots of one server into one ledger."""

from __future__ import annotations

import gzip
import json
import time

from tenantmetrics.config import load
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.sql import Postgres
from tenantmetrics.serverside.statements import state, take
from tenantmetrics.serverside.store import store_of
from tenantmetrics.serverside.tables import STATEMENTS
from tenantmetrics.sqltext.fingerprint import fingerprint

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shop"


LOOKUP = "SELECT price FROM bookings WHERE id = 7 AND tenant_id = 'acme'"


class Series:
    """Snapshots of one server into one ledger."""

    def __init__(self, server, ledger):
        self.server = server
        self.ledger = ledger

    def take(self, *, url=None, **more):
        with Postgres(url or self.server.url("app")) as database:
            return take(database, self.ledger, ARN, load(), **{"every_s": 300} | more)

    def pass_time(self, seconds=300):
        """Make the last snapshot so much older: nobody has to wait."""
        self.change(lambda document: document.update(taken_s=document["taken_s"] - seconds))

    def change(self, edit):
        store, name = store_of(self.ledger), state.state_path(tables.source_id(ARN))
        document = json.loads(gzip.decompress(store.get(name)))
        edit(document)
        store.put(name, gzip.compress(json.dumps(document).encode()))

    def rows(self):
        now = int(time.time())
        return tables.read(self.ledger, STATEMENTS, now - 90_000, now + 90_000).to_pylist()

    def row(self, text):
        """The row of a statement, by the text that the client sent."""
        (row,) = (row for row in self.rows() if row["fingerprint"] == fingerprint(text))
        return row

    def files(self):
        return list(self.ledger.rglob("*.parquet"))
