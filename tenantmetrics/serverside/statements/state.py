"""The last snapshot, kept beside the table: what the next one is subtracted from.

    _server/statements/_state/<source>.json.gz

It holds counters, fingerprints and summaries, no text of a statement. It appears whole or not at
all. It is written after the stretch that it ends: a crash in between writes that stretch again,
longer, under the same name.
"""

from __future__ import annotations

import gzip
import json
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside.columns import STATEMENTS
from tenantmetrics.serverside.statements.snapshot import Counters, Entry, Server, Snapshot, TextKey
from tenantmetrics.serverside.store import Store
from tenantmetrics.serverside.tables import FOLDER
from tenantmetrics.serverside.texts import Known

__all__ = ["load", "save", "state_path"]

_VERSION = 1


def state_path(source: str) -> PurePosixPath:
    """Where a source's last snapshot lies, relative to the ledger."""
    return PurePosixPath(FOLDER, STATEMENTS.name, "_state", f"{source}.json.gz")


def save(store: Store, source: str, resource_arn: str, snapshot: Snapshot) -> None:
    """Keep a snapshot in the place of the one before.

    Raises:
        LedgerError: It cannot be written.
    """
    document = {
        "version": _VERSION,
        "resource_arn": resource_arn,
        "taken_s": snapshot.taken_s,
        "server": [
            snapshot.server.system,
            snapshot.server.instance,
            snapshot.server.started_s,
            snapshot.server.reset_s,
            snapshot.server.evictions,
        ],
        "entries": [[*entry, *counters] for entry, counters in snapshot.entries.items()],
        "databases": list(snapshot.databases.items()),
        # Another release may read texts in another way: it reads them anew.
        "texts_by": version("tenantmetrics"),
        "texts": [[*key, *known] for key, known in snapshot.texts.items()],
    }
    content = gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)
    store.put(state_path(source), content)


def load(store: Store, source: str, resource_arn: str) -> Snapshot | None:
    """The last snapshot; None where there is none yet.

    Raises:
        LedgerError: It cannot be read.
        ServerLoadError: It is damaged, another cluster's, or of a newer release.
    """
    content = store.get(state_path(source))
    if content is None:
        return None
    try:
        document = json.loads(gzip.decompress(content))
        if document["version"] > _VERSION:
            raise ServerLoadError(
                f"the last snapshot ({state_path(source)}) was taken by a newer tenantmetrics: "
                "upgrade this one"
            )
        if document["resource_arn"] != resource_arn:
            raise ServerLoadError(
                f"the last snapshot ({state_path(source)}) is of {document['resource_arn']!r}"
            )
        return _snapshot(document)
    except (EOFError, KeyError, OSError, TypeError, ValueError) as error:
        raise ServerLoadError(
            f"the last snapshot ({state_path(source)}) is damaged ({type(error).__name__})"
        ) from None


def _snapshot(document: dict[str, Any]) -> Snapshot:
    texts = document["texts"] if document["texts_by"] == version("tenantmetrics") else []
    return Snapshot(
        float(document["taken_s"]),
        Server(*document["server"]),
        {Entry(*row[:3]): Counters(*row[3:]) for row in document["entries"]},
        {int(oid): str(name) for oid, name in document["databases"]},
        {TextKey(*row[:2]): Known(*row[2:]) for row in texts},
    )
