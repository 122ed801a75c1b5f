"""The corpus of statements, read from tests/fixtures/sql, and helpers to ask for their tenants.

A case is its name (`--> name`), what is expected (`--: …`), the summary (`--| …`), settings of its
own (`--@ {"tenant_columns": ["org_id"]}`, if any), values of parameters of its own (`--= {"n": 5}`,
if any), and the text up to the next case. Expected is what
`shown` gives: session steps first, then tenants of the statement (`acme*2 bee`), other sources
(`comment:acme`), `?` for undecided, `!kind` for misuse, `-` for nothing at all.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tenantmetrics import config
from tenantmetrics.dataapi.capture import TRANSITIONS
from tenantmetrics.health import Health
from tenantmetrics.records import OK, Call, Claims, SessionVerb, Source, Transition
from tenantmetrics.tenant.resolve import Resolver

DEFAULTS = config.load({})
"""Read once: the project's own pyproject.toml is gone through for settings each time."""
FOLDER = Path(__file__).parent.parent / "fixtures" / "sql"
_CASE = re.compile(
    r"^--> (?P<name>\S+)\n--: (?P<expected>.*)\n--\|(?P<summary>.*)\n"
    r"(?:--@ (?P<settings>.*)\n)?(?:--= (?P<values>.*)\n)?(?P<sql>(?:(?!^-->).*\n?)*)",
    re.MULTILINE,
)
VALUES: dict[str, Any] = {
    "t": "acme",
    "u": "bee",
    "n": 42,
    "nothing": None,
    "1": "acme",
    "from": "bee",
    "id": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "arr": ["a", "b"],
    "nums": [1, 2],
    "arrtext": "{a,b}",
    "name": "app.tenant",
    "yes": True,
}


class Case(NamedTuple):
    idea: str
    name: str
    expected: str
    summary: str
    settings: dict[str, Any]
    values: dict[str, Any]
    sql: str


@functools.cache
def corpus() -> tuple[Case, ...]:
    return tuple(_read())


def _read() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.sql")):
        for found in _CASE.finditer(path.read_text(encoding="utf-8")):
            name, expected, summary, settings, values, sql = found.groups()
            own = {**VALUES, **json.loads(values or "{}")}
            set_ = json.loads(settings or "{}")
            yield Case(path.stem, name, expected, summary.strip(), set_, own, sql.rstrip("\n"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cases_of_file" in metafunc.fixturenames:
        # By file: a test of its own for each statement would cost more than the statement.
        files: dict[str, list[Case]] = {}
        for case in corpus():
            files.setdefault(case.idea, []).append(case)
        metafunc.parametrize("cases_of_file", files.values(), ids=files)


@pytest.fixture(scope="session")
def cases() -> list[Case]:
    return list(corpus())


def field(value: Any) -> dict[str, Any]:
    """A Python value as a Field of the API."""
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        kind = "longValues" if value and isinstance(value[0], int) else "stringValues"
        return {"arrayValue": {kind: value}}
    return {"stringValue": value}


@pytest.fixture(scope="session")
def parameters() -> Callable[..., list[dict[str, Any]]]:
    def make(**values: Any) -> list[dict[str, Any]]:
        return [{"name": name, "value": field(value)} for name, value in values.items()]

    return make


@pytest.fixture(scope="session")
def corpus_values(parameters) -> list[dict[str, Any]]:
    """The values that a case has unless it has its own."""
    return parameters(**VALUES)


@pytest.fixture
def resolver() -> Resolver:
    return Resolver(DEFAULTS, Health())


@pytest.fixture
def make_resolver() -> Callable[..., Resolver]:
    return lambda **settings: Resolver(
        config.load({}, **settings) if settings else DEFAULTS, Health()
    )


@pytest.fixture(scope="session")
def shown() -> Callable[[Claims], str]:
    """Claims in the corpus's short form."""

    def show(claims: Claims) -> str:
        steps = []
        for verb, name, tenant, local in claims.session:
            value = f"={tenant or '?'}" if verb is SessionVerb.SET else ""
            steps.append(f"{verb}{' ' + name if name else ''}{value}{' local' if local else ''}")
        parts = [", ".join(steps)] if steps else []
        for source, shares in claims.named:
            names = [tenant + (f"*{weight}" if weight > 1 else "") for tenant, weight in shares]
            statement = source is Source.STATEMENT
            parts.append(" ".join(names) if statement else f"{source}:{','.join(names)}")
        if claims.undecided and all(claim.source is not Source.STATEMENT for claim in claims.named):
            parts.append("?")
        parts += [f"!{misuse}" for misuse in claims.misuses]
        return " ".join(parts) or "-"

    return show


@pytest.fixture
def make_call() -> Callable[..., Call]:
    """A call with only what matters said."""

    def make(
        claims: Claims = Claims(),  # noqa: B008 - immutable
        *,
        operation: str = "ExecuteStatement",
        transaction: str = "",
        outcome: str = OK,
        at_s: float = 1_000.0,
    ) -> Call:
        return Call(
            operation, int(at_s * 1e9), 1, outcome, "", 200, 1, 0, 0, 1, 0, 0,
            transaction, "arn", "", claims,
            transition=TRANSITIONS.get(operation, Transition.NONE),
        )  # fmt: skip

    return make
