"""Where a call goes, and the connections there.

A call goes to the one upstream that was named, or to AWS's own endpoint of the region that its
cluster's ARN names: one of those that botocore knows for `rds-data`. No host is ever taken from a
request. Nothing is sent a second time, no redirect is followed, no answer is unpacked.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import botocore.session
from botocore.regions import EndpointResolver
from yarl import URL

from tenantmetrics.arns import region_of
from tenantmetrics.dataapi.errors import ApiError
from tenantmetrics.dataapi.operations import PATHS
from tenantmetrics.dataapi.signing import SERVICE
from tenantmetrics.errors import ConfigError
from tenantmetrics.sidecar.answers import CUT, TIMED_OUT, UNREACHED, Answer
from tenantmetrics.sidecar.exchange import AT_ONCE_BYTES, Exchange, Plain, whole
from tenantmetrics.sidecar.settings import Settings

__all__ = ["Endpoint", "Upstream", "UpstreamError"]

_CONNECT_S = 5.0
_KEEP_S = 15.0
"""Shorter than servers keep idle connections, so that none is reused as it closes."""
_MAX_ENDPOINTS = 64
"""More regions than AWS has; what clients invent is not kept."""
_AS_BYTES = 1 << 20
"""aiohttp warns of larger bodies as bytes."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NO_COOKIES = aiohttp.DummyCookieJar
_UNSET = ("User-Agent", "Content-Type")
"""What aiohttp's session adds by itself."""


class UpstreamError(Exception):
    """There is no answer.

    Args:
        outcome: `UNREACHED`, `CUT` or `TIMED_OUT`.
    """

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Endpoint(NamedTuple):
    """Where calls of a region go.

    Attributes:
        region: For the signature.
        host: The Host header.
        urls: Path of an operation → URL.
    """

    region: str
    host: str
    urls: dict[str, URL]


class Upstream:
    """The way to the Data API.

    Args:
        settings: What the sidecar was told.

    Raises:
        ConfigError: A region is unknown.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._region = settings.region or os.environ.get("AWS_REGION", "")
        self._region = self._region or os.environ.get("AWS_DEFAULT_REGION", "")
        self._known = {} if settings.upstream else _known_regions(settings.region)
        self._endpoints: dict[str, Endpoint] = {}
        self._by_cluster: dict[str, Endpoint] = {}
        self._session: aiohttp.ClientSession | None = None
        self._exchange: Exchange | None = None
        self._since: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self.is_aws = not settings.upstream or (
            urlsplit(settings.upstream).hostname or ""
        ).endswith((".amazonaws.com", ".amazonaws.com.cn"))
        """Whether it is AWS itself, and not another endpoint that might meter too."""

    async def open(self) -> None:
        """Make the connections' pool, on the running loop."""
        connector = aiohttp.TCPConnector(
            limit=self._settings.max_calls,
            keepalive_timeout=_KEEP_S,
            ssl=ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None),
            ttl_dns_cache=30,
        )
        has_proxy = any(name.lower() in {"http_proxy", "https_proxy"} for name in os.environ)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=_NO_COOKIES(),
            auto_decompress=False,
            request_class=Plain,
            # `end_late` takes care of the rest.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            trust_env=has_proxy,
        )
        self._exchange = None if has_proxy else Exchange(self._session)

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()

    def endpoint(self, cluster: Any) -> Endpoint:
        """Where a call goes.

        Args:
            cluster: The ARN of its cluster, as the body has it.

        Raises:
            ApiError: It names no region, or none that the Data API is in.
        """
        known = self._by_cluster.get(cluster) if isinstance(cluster, str) else None
        if known is not None:
            return known
        region = region_of(cluster) if isinstance(cluster, str) else ""
        found = self._endpoints.get(region)
        if found is None:
            found = self._make(region)
            if len(self._endpoints) < _MAX_ENDPOINTS:
                self._endpoints[region] = found
        if isinstance(cluster, str) and len(self._by_cluster) < _MAX_ENDPOINTS:
            self._by_cluster[cluster[:1_024]] = found
        return found

    def _make(self, region: str) -> Endpoint:
        upstream = self._settings.upstream
        if upstream:
            base = urlsplit(upstream)
            # The region of the signature's scope: that of the cluster if it looks like one.
            looks_good = region.replace("-", "").isalnum() and region.isascii()
            named = region if looks_good and len(region) < 32 else self._region  # noqa: PLR2004
            scheme, host, port = base.scheme, base.hostname or "", base.port
            return _endpoint(named or "us-east-1", scheme, host, port)
        region = region or self._region
        host = self._known.get(region, "")
        if not host:
            raise ApiError(
                "BadRequestException",
                "resourceArn must name a cluster in a region that has the Data API",
            )
        return _endpoint(region, "https", host, None)

    async def send(
        self,
        endpoint: Endpoint,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> Answer:
        """Send a request once and read its answer whole.

        Args:
            endpoint: Where to.
            path: The operation's.
            headers: All that it is to have beside Content-Length.
            body: Its body.

        Raises:
            UpstreamError: There is no answer.
        """
        session, task = self._session, asyncio.current_task()
        if session is None or task is None:
            raise UpstreamError(UNREACHED)
        self._since[task] = time.monotonic()
        try:
            if self._exchange is not None and len(body) <= AT_ONCE_BYTES:
                return await self._exchange.send(endpoint.urls[path], path, headers, body)
            return await _by_session(session, endpoint.urls[path], headers, body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UpstreamError(UNREACHED) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(CUT) from error
        except asyncio.CancelledError as error:
            if task not in self._late:
                raise
            task.uncancel()
            raise UpstreamError(TIMED_OUT) from error
        finally:
            del self._since[task]
            self._late.discard(task)

    def end_late(self) -> None:
        """Give up the calls that have had no answer in time; to be called a few times a second."""
        before = time.monotonic() - self._settings.upstream_timeout_s
        for task, since in self._since.items():  # in the order of their beginning
            if since > before:
                return
            if task not in self._late:
                self._late.add(task)
                task.cancel()

    async def reachable(self) -> bool:
        """Whether somebody takes connections where calls go; sends nothing."""
        if self._settings.upstream:
            target = next(iter(self._make("").urls.values()))
        elif self._region in self._known:
            target = next(iter(self._make(self._region).urls.values()))
        elif self._endpoints:
            target = next(iter(next(iter(self._endpoints.values())).urls.values()))
        else:
            return True  # until the first call nobody knows where calls will go
        return await _connects(target.host or "", target.port or 443)


async def _by_session(
    session: aiohttp.ClientSession, url: URL, headers: list[tuple[str, str]], body: bytes
) -> Answer:
    """A body that takes its time, or one that goes through a proxy."""
    data: Any = body if len(body) <= _AS_BYTES else io.BytesIO(body)
    response = await session.post(
        url, data=data, headers=headers, allow_redirects=False, skip_auto_headers=_UNSET
    )
    try:
        content = await whole(response.content)
    except BaseException:
        response.close()
        raise
    response.release()
    return Answer(response.status, response.raw_headers, content)


async def _connects(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError, socket.gaierror):
        return False
    writer.close()
    return True


def _endpoint(region: str, scheme: str, host: str, port: int | None) -> Endpoint:
    name = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        name = f"{name}:{port}"
    urls = {path: URL(f"{scheme}://{name}{path}", encoded=True) for path in PATHS}
    return Endpoint(region, name, urls)


def _known_regions(more: str) -> dict[str, str]:
    """Region → host, of all partitions."""
    session = botocore.session.Session()
    resolver = EndpointResolver(session.get_component("data_loader").load_data("endpoints"))
    regions = {
        region
        for partition in resolver.get_available_partitions()
        # Those of clusters: botocore's list of `rds-data` is behind, its pattern of hosts is not.
        for region in resolver.get_available_endpoints("rds", partition)
    }
    if more:
        regions.add(more)
    found = {}
    for region in regions:
        made = resolver.construct_endpoint(SERVICE, region)
        if made is None:
            raise ConfigError(f"region {region!r}: AWS has no region of that name")
        found[region] = made["hostname"]
    return found
