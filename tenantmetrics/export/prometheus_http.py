"""The page that Prometheus fetches, on a thread of its own: prometheus_client's WSGI application.

A port that is taken (several processes of one machine, a forked child) fails nothing: the numbers
go on being added up, it is said once in the log, and each export tries the port again.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from prometheus_client.registry import Collector

from tenantmetrics.logs import logger

__all__ = ["Page"]


class Page:
    """Serves one collector.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server: WSGIServer | None = None
        self._collector: Collector | None = None
        self._told = False

    @property
    def port(self) -> int:
        """The port that is listened on; 0 where none could be had yet."""
        return int(self._server.server_port) if self._server is not None else 0

    def open(self, collector: Collector) -> None:
        """Serve a collector, now or as soon as the port can be had."""
        self._collector = collector
        self.open_again()

    def open_again(self) -> None:
        """Try to listen, unless it does already."""
        if self._server is not None or self._collector is None:
            return
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self._collector)
        try:
            server = ThreadingWSGIServer((self._host, self._port), _Silent)
        except OSError as error:
            if not self._told:
                self._told = True
                logger().warning(
                    "tenantmetrics.prometheus", port=self._port, error_type=type(error).__name__
                )
            return
        server.set_app(_for_no_browser(make_wsgi_app(registry), self._host))
        threading.Thread(
            target=server.serve_forever, name="tenantmetrics-prometheus", daemon=True
        ).start()
        self._server = server

    def close(self) -> None:
        """Stop serving."""
        server, self._server, self._collector = self._server, None, None
        if server is not None:
            server.shutdown()
            server.server_close()


class _Silent(WSGIRequestHandler):
    """Writes no line a request to stderr, and waits for none for ever."""

    timeout = 30

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _for_no_browser(app: Any, host: str) -> Any:
    """The application for names of ours only: a web page must not read what tenants there are."""
    names = {"127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host}
    everywhere = _is_everywhere(host)

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        name, colon, port = environ.get("HTTP_HOST", "").lower().rpartition(":")
        if not (colon and port.isdigit()):
            name = environ.get("HTTP_HOST", "").lower()
        known = name in names or (everywhere and _is_address(name))
        if environ["REQUEST_METHOD"] != "GET" or "HTTP_ORIGIN" in environ or not known:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"not for this name\n"]
        answer: Iterable[bytes] = app(environ, start_response)
        return answer

    return guarded


def _is_everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    """Whether a host is written as a number: no web page has such a name made to point here."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
