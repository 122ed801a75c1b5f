"""What is known of tokens, kept for the next statement: an application has few names."""

from __future__ import annotations

__all__ = ["KeptTokens"]

_MAX_CHARS = 63
"""A name of PostgreSQL's has no more."""


class KeptTokens(dict[str, str]):
    """What `told` says of tokens, looked up once each."""

    most = 4_096
    """Tokens that are kept, 0.2 kB each."""

    def told(self, token: str) -> str:
        """What a token is.

        Args:
            token: One that is not kept yet; not empty.
        """
        raise NotImplementedError

    def __missing__(self, token: str) -> str:
        found = self.told(token)
        if len(self) < self.most and len(token) <= _MAX_CHARS:
            self[token] = found
        return found
