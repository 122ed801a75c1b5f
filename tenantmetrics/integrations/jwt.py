"""The tenant from a JSON Web Token, verified by PyJWT. Needs the `jwt` extra.

What is accepted is decided here and never by the token: the algorithms are given, those of shared
secrets and those of key pairs do not mix, `none` is refused, and a key from a JWKS serves only the
algorithm of its own kind.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from tenantmetrics.errors import ConfigError, MissingExtraError
from tenantmetrics.integrations.refusal import RefusedRequestError
from tenantmetrics.integrations.request import WebRequest
from tenantmetrics.integrations.ways import name_of
from tenantmetrics.logs import logger

__all__ = ["FromJwt"]

_SECRET = frozenset({"HS256", "HS384", "HS512"})
_PAIRS = frozenset(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in ("256", "384", "512")
) | {"EdDSA", "ES256K"}
_SECRET_MIN_BYTES = 32
"""A key of HMAC is at least as long as the digest (RFC 7518, 3.2)."""
_RSA_MIN_BITS = 2048
"""RFC 7518, 3.3 and 3.5."""
_TOKEN_MAX_CHARS = 16_384
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class FromJwt:
    """A claim of a bearer token whose signature, expiry, audience and issuer hold.

    Args:
        claim: The claim, such as "tenant_id".
        key: The secret (HS…) or the public key as PEM (RS…, PS…, ES…, EdDSA).
        jwks_url: Where the public keys are, instead of `key`: https, or http on this machine.
        algorithms: Which to accept; all of secrets, or all of key pairs.
        audience: The `aud` to ask for; None accepts only tokens without one.
        issuer: The `iss` to ask for; None asks for none.
        required: Further claims that have to be there; `exp` always has to, and `aud` and `iss`
            where they are asked for.
        leeway_s: Seconds by which clocks may differ.
        header: Where the token is, behind `Bearer`.
        lifespan_s: Seconds for which a key set is kept; after that, and without a new one, no token
            holds.
        cooldown_s: Seconds between two fetches of the key set, however many unknown keys tokens
            name, and whether or not it can be had.
        timeout_s: Seconds for one fetch.

    Raises:
        ConfigError: The settings would accept what they must not; says what to change.
        MissingExtraError: PyJWT is not installed.
    """

    def __init__(
        self,
        claim: str = "tenant_id",
        *,
        key: str | bytes | None = None,
        jwks_url: str | None = None,
        algorithms: Sequence[str],
        audience: str | Iterable[str] | None = None,
        issuer: str | None = None,
        required: Iterable[str] = (),
        leeway_s: float = 0.0,
        header: str = "Authorization",
        lifespan_s: float = 300.0,
        cooldown_s: float = 30.0,
        timeout_s: float = 5.0,
    ) -> None:
        try:
            import jwt  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("FromJwt", "jwt") from None
        _check_algorithms(algorithms)
        if (key is None) == (jwks_url is None):
            raise ConfigError("FromJwt needs a key or a jwks_url, and not both")
        self._key = None if key is None else _checked_key(key, algorithms)
        self._keys = None
        if jwks_url is not None:
            if set(algorithms) & _SECRET:
                raise ConfigError("a key set is public: it holds no secret for HS… algorithms")
            _check_url(jwks_url)
            self._keys = _Keys(jwks_url, lifespan_s, cooldown_s, timeout_s)
        self._claim, self._header = claim, header
        self._algorithms = [*algorithms]
        asked = {"exp", claim, *required}
        asked |= {"aud"} if audience is not None else set()
        asked |= {"iss"} if issuer is not None else set()
        self._checks: dict[str, Any] = {
            "audience": [audience] if isinstance(audience, str) else audience and [*audience],
            "issuer": issuer,
            "leeway": leeway_s,
            "options": {"require": sorted(asked), "enforce_minimum_key_length": True},
        }
        self._jwt = jwt

    def waits(self, request: WebRequest) -> bool:
        """Whether a key has to be fetched first."""
        if self._keys is None:
            return False
        try:
            token = self._token(request)
            return token is not None and self._keys.needs_fetch(self._kid(token))
        except (RefusedRequestError, self._jwt.PyJWTError, ValueError, RecursionError):
            return False  # `tenant` says so

    def tenant(self, request: WebRequest) -> str | None:
        """As `Way.tenant`; a header of another scheme than Bearer is another way's."""
        token = self._token(request)
        if token is None:
            return None
        try:
            claims = self._jwt.decode(
                token, self._key_for(token), algorithms=self._algorithms, **self._checks
            )
            found = name_of(claims[self._claim])
        except (self._jwt.PyJWTError, TypeError, ValueError, RecursionError) as error:
            raise RefusedRequestError(f"the token is not valid: {_kind(error)}", 401) from None
        if found is None:
            raise RefusedRequestError("the token's tenant is empty", 401)
        return found

    def _token(self, request: WebRequest) -> str | None:
        value = request.header(self._header)
        scheme, _, token = (value or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if not token or len(token) > _TOKEN_MAX_CHARS:
            raise RefusedRequestError("the token is empty or too long", 401)
        return token

    def _key_for(self, token: str) -> Any:
        return self._key if self._keys is None else self._keys.one(self._kid(token))

    def _kid(self, token: str) -> str:
        header = self._jwt.get_unverified_header(token)
        kid = header.get("kid")
        if not isinstance(kid, str) or header.get("alg") not in self._algorithms:
            raise ValueError("the token names no key, or another algorithm")
        return kid


class _Keys:
    """A key set that is fetched when it is needed, and not more often than it may be.

    Tokens cost nothing to make, so no number of them, and no outage of the issuer, makes more
    fetches than one a cooldown.
    """

    def __init__(self, url: str, lifespan_s: float, cooldown_s: float, timeout_s: float) -> None:
        from jwt import PyJWKClient  # noqa: PLC0415 - an extra

        if not 0 < cooldown_s <= lifespan_s:
            raise ConfigError("cooldown_s must be positive, and lifespan_s no shorter")
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=timeout_s)
        self._lifespan_s, self._cooldown_s = lifespan_s, cooldown_s
        self._keys: dict[str, Any] = {}
        self._fetched_s = self._tried_s = float("-inf")
        self._lock = threading.Lock()

    def needs_fetch(self, kid: str) -> bool:
        """Whether the key is not there yet, and may be fetched now."""
        now = time.monotonic()
        if kid in self._keys and now - self._fetched_s < self._lifespan_s:
            return False
        return now - self._tried_s >= self._cooldown_s

    def one(self, kid: str) -> Any:
        """The public key of that name.

        Raises:
            ValueError: There is none, or the set cannot be had.
        """
        if self.needs_fetch(kid):
            with self._lock:
                if self.needs_fetch(kid):
                    self._fetch()
        if time.monotonic() - self._fetched_s >= self._lifespan_s:
            raise ValueError("the key set cannot be fetched")
        found = self._keys.get(kid)
        if found is None:
            raise ValueError("no such key")
        return found

    def _fetch(self) -> None:
        try:
            keys = self._client.get_signing_keys()
        except Exception as error:  # noqa: BLE001 - of the network, of the parser, of the keys
            with contextlib.suppress(Exception):
                logger().warning("tenantmetrics.keys_unavailable", error=_kind(error))
        else:
            public = [key for key in keys if key.key_type in {"RSA", "EC", "OKP"}]
            self._keys = {str(key.key_id): key for key in public}
            self._fetched_s = time.monotonic()
        finally:
            self._tried_s = time.monotonic()


def _check_algorithms(algorithms: Sequence[str]) -> None:
    given = set(algorithms)
    if isinstance(algorithms, str) or not given:
        raise ConfigError("algorithms must be a list such as ['RS256']")
    if unknown := given - _SECRET - _PAIRS:
        raise ConfigError(f"algorithms {sorted(unknown)} are not trusted for tokens")
    if given & _SECRET and given & _PAIRS:
        raise ConfigError(
            "algorithms of secrets (HS…) and of key pairs do not mix: a public key would do as "
            "the secret"
        )


def _checked_key(key: str | bytes, algorithms: Sequence[str]) -> str | bytes | Any:
    data = key.encode() if isinstance(key, str) else key
    pem = b"-----BEGIN" in data or data.lstrip().startswith((b"ssh-", b"ecdsa-", b"{"))
    if set(algorithms) & _SECRET:
        if pem:
            raise ConfigError("the key is a public key, and HS… algorithms take a secret")
        if len(data) < _SECRET_MIN_BYTES:
            raise ConfigError(f"the secret must have at least {_SECRET_MIN_BYTES} bytes")
        return data
    if b"PRIVATE KEY" in data:
        raise ConfigError("the key is private: verifying needs only the public key")
    from cryptography.hazmat.primitives.asymmetric.rsa import (  # noqa: PLC0415 - of the extra
        RSAPublicKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - of the extra
        load_pem_public_key,
    )

    try:
        found = load_pem_public_key(data)
    except ValueError:
        raise ConfigError("the key is not a public key in PEM") from None
    if isinstance(found, RSAPublicKey) and found.key_size < _RSA_MIN_BITS:
        raise ConfigError(f"an RSA key must have at least {_RSA_MIN_BITS} bits")
    return found


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise ConfigError("jwks_url must be https: whoever can change the response chooses the tenants")


def _kind(error: BaseException) -> str:
    """An error's kind; its text may hold parts of the token."""
    return type(error).__name__
