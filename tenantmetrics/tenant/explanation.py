"""Explains one statement: what names its tenant, where in the text, and what to fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenantmetrics.config import Config
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.health import Health
from tenantmetrics.records import Attribution, Claims, Misuse, SessionVerb, Source
from tenantmetrics.sqltext import TokenKind, parameters, tokenize
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.identity.source_precedence import Precedence, marked
from tenantmetrics.tenant.resolve import Resolver
from tenantmetrics.tenant.session.session_variables import Session
from tenantmetrics.tenant.sql.plan import Plan, operands_of, parameters_of
from tenantmetrics.tenant.sql.planner import plan_of
from tenantmetrics.tenant.sql.sql_comments import tenants_in_comments
from tenantmetrics.tenant.sql.template import slot_spans
from tenantmetrics.tenant.unnamed import in_plain_words, why_unnamed

__all__ = ["Explanation", "Mark", "explain"]

_MAX_MISSING = 10
"""Parameters that are shown by their names."""
WARNINGS = {
    Misuse.SOURCES_DISAGREE: "two sources name different tenants",
    Misuse.OTHER_TENANTS_ROWS: "it reads or writes rows of another tenant",
    Misuse.LOCAL_OUTSIDE_TRANSACTION: "SET LOCAL has no effect outside a transaction: pass a "
    "transactionId",
    Misuse.SET_WITHOUT_LOCAL: "SET without LOCAL outlives the transaction and can leak to "
    "the next user of the connection: use SET LOCAL, or set_config(name, value, true)",
    Misuse.TENANT_CHANGED: "the tenant variable changes to another tenant within one transaction",
    Misuse.COMMIT_AS_SQL: "COMMIT sent as SQL leaves the Data API's transaction open: call "
    "CommitTransaction",
    Misuse.UNDECIDED_UNDER_SESSION: "its text does not restrict its rows to that tenant: without "
    "row-level security it may touch another's",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text.

    Attributes:
        start: Index of its first character.
        end: Index one past its last.
        what: What it is: "parameter :t", "tenant column", "comment".
    """

    start: int
    end: int
    what: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known of one statement.

    Attributes:
        sql: The text.
        claims: What it says of its tenant.
        attribution: Whose the call would be.
        marks: Where in the text it says so.
        reasons: Why, one sentence each.
        warnings: What to fix, one sentence each.
    """

    sql: str
    claims: Claims
    attribution: Attribution
    marks: tuple[Mark, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON's types."""
        claims, attribution = self.claims, self.attribution
        return {
            "sql": self.sql,
            "summary": claims.summary,
            "attributed_to": dict(attribution.shares),
            "source": str(attribution.source),
            "undecided": claims.undecided,
            "claims": [
                {"source": str(claim.source), "shares": dict(claim.shares)}
                for claim in claims.named
            ],
            "session": [
                {
                    "verb": str(step.verb),
                    "name": step.name,
                    "tenant": step.tenant,
                    "local": step.local,
                }
                for step in claims.session
            ],
            "misuses": [str(misuse) for misuse in attribution.misuses],
            "marks": [
                {"start": mark.start, "end": mark.end, "what": mark.what} for mark in self.marks
            ],
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
        }


def explain(config: Config, params: Mapping[str, Any]) -> Explanation:
    """Explain one call.

    Args:
        config: The settings.
        params: The parameters of ExecuteStatement: `sql`, and `parameters`, `transactionId`,
            `database`, `schema` where the call has them.
    """
    sql = params["sql"]
    resolver = Resolver(config, Health())
    claims = resolver.claims(request_of("ExecuteStatement", params))
    session = Session(config.tenant_variables)
    misuses = claims.misuses
    if claims.session:
        misuses += session.apply(claims.session, in_transaction="transactionId" in params)
    precedence = Precedence(config.tenant_sources)
    attribution = marked(claims, precedence.attribute(claims.named, session.named_in_call, misuses))
    cut, literals, comments = slot_spans(sql)
    plan = plan_of(cut.template, resolver.vocabulary)
    wanted = parameters_of(plan, cut.literals)
    marks = _marks(sql, plan, wanted, literals, comments, vocabulary=resolver.vocabulary)
    return Explanation(
        sql,
        claims,
        attribution,
        tuple(sorted(set(marks), key=lambda mark: (mark.start, mark.end))),
        tuple(_reasons(plan, wanted, claims, attribution, params, vocabulary=resolver.vocabulary)),
        tuple(WARNINGS[misuse] for misuse in attribution.misuses),
    )


def _marks(
    sql: str,
    plan: Plan,
    wanted: frozenset[str],
    literals: Sequence[tuple[int, int]],
    comments: Sequence[tuple[int, int]],
    *,
    vocabulary: Vocabulary,
) -> list[Mark]:
    marks = [
        Mark(start, end, f"parameter :{name}")
        for name, start, end in parameters(sql)
        if name in wanted
    ]
    for operand in operands_of(plan):
        if operand.slot is not None and operand.slot < len(literals):
            last = operand.last if operand.last is not None else operand.slot
            marks.append(Mark(literals[operand.slot][0], literals[last][1], "literal"))
    for start, end in comments:
        is_block = sql.startswith("/*", start)
        if is_block and tenants_in_comments([sql[start + 2 : end - 2]], vocabulary.comment_keys):
            marks.append(Mark(start, end, "comment"))
    marks += _named_places(sql, plan, vocabulary)
    return marks


def _named_places(sql: str, plan: Plan, vocabulary: Vocabulary) -> Iterator[Mark]:
    """Columns, variables and schemas of tenants."""
    tokens = list(tokenize(sql))
    index = 0
    while index < len(tokens):
        parts = [tokens[index]]
        while index + 2 < len(tokens) and sql[tokens[index + 1].start] == ".":
            index += 2
            parts.append(tokens[index])
        index += 1
        if any(part.kind not in {TokenKind.WORD, TokenKind.QUOTED} for part in parts):
            continue
        words = [sql[part.start : part.end].strip('"').lower() for part in parts]
        if ".".join(words) in vocabulary.variables and plan.steps:
            yield Mark(parts[0].start, parts[-1].end, "session variable")
            continue
        for part, word in zip(parts, words, strict=True):
            if word in vocabulary.columns:
                yield Mark(part.start, part.end, "tenant column")
            elif plan.schemas and vocabulary.of_schema(word) is not None:
                yield Mark(part.start, part.end, "tenant's schema")


def _reasons(
    plan: Plan,
    wanted: frozenset[str],
    claims: Claims,
    attribution: Attribution,
    params: Mapping[str, Any],
    *,
    vocabulary: Vocabulary,
) -> list[str]:
    found: list[str] = []
    given = {p["name"] for p in params.get("parameters", ()) if "name" in p}
    missing = sorted(wanted - given)
    for claim in claims.named:
        names = ", ".join(tenant for tenant, _ in claim.shares)
        found.append(f"{claim.source} names {names}")
    found += _session_reasons(claims)
    if missing:
        shown = ", ".join(f":{name}" for name in missing[:_MAX_MISSING])
        shown += f" and {more:,} more" if (more := len(missing) - _MAX_MISSING) > 0 else ""
        found.append(f"the tenant is the value of {shown}, which was not given")
    if plan.confirms:
        found.append("current_setting() reads the session's tenant and names none itself")
    if plan.why:
        found.append(f"it was not analysed: {in_plain_words(plan.why)}")
    elif claims.undecided:
        found.append("it uses tenant columns, but does not restrict its rows to known tenants")
    elif not (claims.named or missing):
        found += why_unnamed(params["sql"], plan, vocabulary)
    if attribution.source is Source.UNATTRIBUTED:
        found.append(
            "no source names a tenant: inside a transaction the call counts for the transaction's "
            "tenant, otherwise it is unattributed",
        )
    elif len(claims.named) + bool(claims.session) > 1:
        found.append(f"of these sources, {attribution.source} takes precedence")
    return found


def _session_reasons(claims: Claims) -> Iterator[str]:
    """What a statement does to its session."""
    for step in claims.session:
        if step.verb is SessionVerb.SET:
            whom = step.tenant if step.tenant is not None else "a value that is not known"
            yield f"it sets {step.name} to {whom} for the rest of its transaction"
        else:
            verb = str(step.verb).replace("_", " ").upper()
            yield f"it runs {verb} {step.name}".rstrip() + " in its session"
