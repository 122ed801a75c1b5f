"""The ledger on S3: a window's Parquet objects under `s3://bucket/prefix/`, named as in a folder.

Delivery contract: exactly once for a reader of the bucket. An object appears whole or not at all,
and its key is made from writer and window, so sending it again replaces it with itself. A window's
statements are sent before its main object. Each window
is written to the spool on local disk first, synced, and removed once S3 has it: a process that dies
loses the window it was filling and no other, and an outage of S3 is ridden out up to `spool_bytes`;
beyond it the oldest windows go and their calls are counted as `export_dropped`. What waits is sent
in the order of the windows. What a process leaves behind, another on the same machine sends.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from tenantmetrics.buckets import unlisted
from tenantmetrics.errors import ConfigError, MissingExtraError
from tenantmetrics.export.aws import Clients, fate
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.ledger import files, set_up_arrow
from tenantmetrics.export.resume import Fate
from tenantmetrics.export.spool import Spool
from tenantmetrics.ledger import STATEMENTS
from tenantmetrics.records import Window

__all__ = ["S3LedgerExporter"]


class S3LedgerExporter:
    """Sends each window's Parquet objects, through the spool.

    Region, credentials and endpoint are boto3's own (AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, ...),
    looked up at the first export. It needs `s3:PutObject` on the prefix and nothing else.

    Args:
        url: `s3://bucket/prefix`.
        spool_path: Folder of the spool; empty for the default.
        spool_bytes: What it may hold.
        clock: Monotonic seconds; injected by tests.

    Raises:
        MissingExtraError: pyarrow is not installed.
        ConfigError: The URL names no bucket, or one that can hold no ledger, or the spool cannot
            be used.
    """

    name = "ledger"

    def __init__(
        self,
        url: str,
        *,
        spool_path: str = "",
        spool_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Loaded now, for the same reasons as by the exporter to a folder.
        try:
            import pyarrow.compute  # noqa: PLC0415
            import pyarrow.parquet  # noqa: F401, PLC0415
        except ImportError:
            raise MissingExtraError("the ledger exporter", "ledger") from None
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ConfigError("names no bucket: write ledger:s3://BUCKET/PREFIX")
        if words := unlisted(url):
            raise ConfigError(words)
        self._bucket = parts.netloc
        self._prefix = PurePosixPath(parts.path.strip("/"))
        self._clock = clock
        self._clients = Clients("s3", clock=clock)
        self._spool = Spool(spool_path, url.rstrip("/"), spool_bytes, _calls)

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Spool the windows and send all that waits, as `Exporter.export` says."""
        set_up_arrow()
        kept: list[Window] = []
        direct: list[tuple[Window, list[tuple[PurePosixPath, bytes]]]] = []
        for window in windows:
            made = list(files(window))
            try:
                for name, content in made:
                    self._spool.keep(name, content)
                kept.append(window)
            except OSError:
                direct.append((window, made))  # no disk: S3 may still be there
        failure = self._send_spool(deadline_s)
        failed = []
        for window, made in direct:
            for name, content in made:
                failure = failure or self._put(name, content, deadline_s)
            if failure is not None:
                failed.append(window)
        if failure is not None:
            raise ExportError(
                "S3 did not take every window",
                failed=failed,
                kept=kept,
                behind=True,
                dropped_calls=self._spool.trim(),
            ) from failure

    def close(self) -> None:
        """Close the connections; what is still in the spool stays for the next process."""
        self._clients.forget()
        self._spool.close()

    def abandon(self) -> None:
        """Let go of the spool's lock in a forked child: it is the parent's."""
        self._spool.abandon()

    def _send_spool(self, deadline_s: float) -> BaseException | None:
        """Send what waits, in order, up to the first that fails; the error."""
        for name, file in self._spool.waiting():
            try:
                content = file.read_bytes()
            except FileNotFoundError:
                continue  # another process adopted it too and was faster
            except OSError as error:
                return error
            failure = self._put(name, content, deadline_s)
            if failure is not None:
                return failure
            _forget(file)
        return None

    def _put(self, name: PurePosixPath, content: bytes, deadline_s: float) -> BaseException | None:
        try:
            self._clients.within(deadline_s).put_object(
                Bucket=self._bucket,
                Key=str(self._prefix / name),
                Body=content,
                ContentType="application/vnd.apache.parquet",
            )
        except Exception as error:  # noqa: BLE001 - told to the fanout
            if not isinstance(error, TimeoutError) and fate(error, "PutObject") is Fate.FAILED:
                self._clients.forget()
            return error
        return None


def _forget(file: Path) -> None:
    # A file that cannot be removed is sent again, under the same key: harmless.
    file.unlink(missing_ok=True)


def _calls(name: PurePosixPath, content: bytes) -> int:
    """The calls that are lost with a file; those of the statements are in the main file too."""
    if name.parts[0] == STATEMENTS:
        return 0
    from pyarrow import parquet  # noqa: PLC0415 - loaded by the constructor

    column: Any = parquet.read_table(io.BytesIO(content), columns=["calls"]).column("calls")
    return sum(column.to_pylist())
