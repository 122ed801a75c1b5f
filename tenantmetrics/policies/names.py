"""Names of schemas, tables, columns and roles: as a user writes them, and as SQL needs them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from tenantmetrics.errors import RlsError

__all__ = ["literal", "matches", "parse", "qualified", "quoted", "role"]

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".\s][^".]*)')
# PostgreSQL 18, Appendix C: words that are no name of a column or table unless quoted.
_WORDS = (
    "all analyse analyze and any array as asc asymmetric authorization binary both case cast check"
    " collate collation column concurrently constraint create cross current_catalog current_date"
    " current_role current_schema current_time current_timestamp current_user default deferrable"
    " desc distinct do else end except false fetch for foreign freeze from full grant group having"
    " ilike in initially inner intersect into is isnull join lateral leading left like limit"
    " localtime localtimestamp natural not notnull null offset on only or order outer overlaps"
    " placing primary references returning right select session_user similar some symmetric"
    " system_user table tablesample then to trailing true union unique user using variadic verbose"
    " when where window with"
    # Names of types and functions that a name alone would not be taken for in every place.
    " between bigint bit boolean char character coalesce dec decimal exists extract float greatest"
    " grouping inout int integer interval json json_array json_object least merge_action national"
    " nchar none normalize nullif numeric out overlay position precision real row setof smallint"
    " substring time timestamp treat trim values varchar xmlattributes public"
)
_RESERVED = frozenset(_WORDS.split())


def quoted(name: str) -> str:
    """A name as SQL: in double quotes, where it needs them.

    Args:
        name: As the catalogue has it.

    Raises:
        RlsError: PostgreSQL cannot have such a name.
    """
    if not name or "\0" in name:
        raise RlsError(f"{name!r} is not a name that PostgreSQL accepts")
    if _PLAIN.fullmatch(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """A schema and a name as SQL. `public` stays as it is."""
    return f"{'public' if schema == 'public' else quoted(schema)}.{quoted(name)}"


def role(name: str) -> str:
    """A role as GRANT and CREATE POLICY take it; the empty name is PUBLIC."""
    return quoted(name) if name else "PUBLIC"


def literal(text: str) -> str:
    """A text as an SQL literal, whatever `standard_conforming_strings` says."""
    body = text.replace("'", "''")
    return "E'" + body.replace("\\", "\\\\") + "'" if "\\" in body else f"'{body}'"


def parse(text: str) -> list[str]:
    """`schema.table`, `"Odd name"` or `table` as its parts, as PostgreSQL reads them.

    Args:
        text: What is not in double quotes is folded to lower case by whoever looks it up, if there
            is no such name as it stands.

    Raises:
        RlsError: It is not a name.
    """
    parts, position = [], 0
    while True:
        found = _PART.match(text, position)
        if found is None:
            raise RlsError(f'{text!r} is not a name: write table, schema.table or "Quoted Name"')
        parts.append(found[1].replace('""', '"') if found[1] else found[2].strip())
        position = found.end()
        if position == len(text):
            return parts
        if text[position] != ".":
            raise RlsError(f'{text!r} is not a name: write table, schema.table or "Quoted Name"')
        position += 1


def matches(pattern: str, schema: str, name: str) -> bool:
    """Whether a pattern with `*` and `?` names a table; without a dot, in any schema."""
    wanted = pattern if "." in pattern else f"*.{pattern}"
    return fnmatchcase(f"{schema}.{name}", wanted)
