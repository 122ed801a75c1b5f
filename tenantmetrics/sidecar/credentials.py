"""The sidecar's own credentials: botocore's chain, asked on a thread beside the calls.

No call waits for a look-up but the first ones. Credentials that expire are refreshed by botocore
itself well before (10 to 15 minutes); those that do not say so (a file that somebody rewrites, a
token cache of single sign-on) are read anew every `REREAD_S`, and at once when AWS refuses them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.credentials import RefreshableCredentials

from tenantmetrics.logs import logger
from tenantmetrics.sidecar.signing import Key

__all__ = ["REFUSALS", "Keeper"]

LOOK_EVERY_S = 5.0
"""How often botocore is asked whether it wants to refresh: without need it costs microseconds."""
REREAD_S = 60.0
"""How often a chain that gives no time of expiry is gone through anew."""
_NOTHING = "no provider of botocore's chain has credentials"
_AGAIN_S = 1.0
"""The least time between two look-ups, however many calls are refused."""

REFUSALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    }
)
"""Errors of AWS that speak of credentials: those in hand may be old."""


class Keeper:
    """Keeps credentials ready.

    Args:
        find: Goes through the chain anew and returns botocore's credentials, or None.
        clock: Monotonic seconds; injected by tests.
    """

    def __init__(
        self,
        find: Callable[[], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find or _chain
        self._clock = clock
        self._found: Any = None
        self._found_at = float("-inf")
        self._stale = False
        self._trouble = ""
        self._looked = asyncio.Event()
        self._wake = asyncio.Event()
        self.key: Key | None = None
        """What calls are signed with now; None while there is nothing."""

    async def first(self, timeout_s: float) -> Key | None:
        """What calls are signed with, waiting for the first look-up; None if it found nothing.

        Args:
            timeout_s: Seconds to wait at most.
        """
        if self.key is None and not self._looked.is_set():
            try:
                await asyncio.wait_for(self._looked.wait(), timeout_s)
            except TimeoutError:
                return None
        return self.key

    def refused(self) -> None:
        """AWS refused what a call was signed with: look it up anew, without any cache."""
        self._stale = True
        self._wake.set()

    async def run(self) -> None:
        """Keep them fresh until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            looked_at = loop.time()
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)
            await asyncio.sleep(max(0.0, looked_at + _AGAIN_S - loop.time()))

    async def look(self) -> None:
        """Look once; what cannot be had leaves what there was."""
        try:
            key = await asyncio.to_thread(self._look)
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, the next may do
            self._tell(type(error).__name__)
            return
        finally:
            self._looked.set()
        self._tell("" if key is not None else _NOTHING)
        self.key = key or self.key

    def _tell(self, trouble: str) -> None:
        """Log what is wrong when it begins or changes, and its end; not every few seconds."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            does = "the previous ones stay in use" if self.key is not None else "calls are refused"
            logger().warning("sidecar.no_credentials", reason=trouble, meanwhile=does)
        else:
            logger().info("sidecar.credentials_found")

    def _look(self) -> Key | None:
        now = self._clock()
        expires = isinstance(self._found, RefreshableCredentials)
        if self._stale or self._found is None or (not expires and now - self._found_at >= REREAD_S):
            self._stale = False
            self._found = self._find() or self._found
            self._found_at = now
        if self._found is None:
            return None
        frozen = self._found.get_frozen_credentials()
        return Key(frozen.access_key, frozen.secret_key, frozen.token or "")


def _chain() -> Any:
    # A session of its own each time: botocore remembers in it what it once read.
    return botocore.session.Session().get_credentials()
