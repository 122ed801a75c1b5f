"""Tenants in SQL comments of sqlcommenter's form: `/*tenant_id='acme',traceparent='00-…'*/`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from urllib.parse import unquote

from tenantmetrics.tenant.identity.tenant_ids import from_text

__all__ = ["tenants_in_comments"]

# Values are url-encoded and quoted; a quote inside is written \' or, by the encoding, %27. No blank
# beside the equals sign: `/* tenant_id = 'acme' */` is a condition that somebody took out.
_PAIR = r"\s*+([A-Za-z0-9_.%\-]++)='((?:[^'\\]|\\.)*+)'\s*+"
_PAIRS = re.compile(_PAIR, re.DOTALL)
_WHOLE = re.compile(rf"{_PAIR}(?:,{_PAIR})*+,?\s*+", re.DOTALL)


def tenants_in_comments(comments: Iterable[str], keys: Collection[str]) -> tuple[str, ...]:
    """The tenants that comments name, each once, in order.

    Only a comment that is nothing but `key='value'` pairs counts: a remark in prose that mentions
    one ("/* was tenant_id='acme' before */") names nobody.

    Args:
        comments: Bodies of block comments, without their delimiters.
        keys: Keys that carry the tenant, lower case.
    """
    found: dict[str, None] = {}
    for comment in comments:
        if "=" not in comment or not _WHOLE.fullmatch(comment):
            continue
        for key, value in _PAIRS.findall(comment):
            if unquote(key).lower() in keys:
                text = unquote(value.replace("\\'", "'").replace("\\\\", "\\"), errors="replace")
                tenant = from_text(text)
                if tenant is not None:
                    found[tenant] = None
    return tuple(found)
