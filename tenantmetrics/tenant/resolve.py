"""The chain: what one call says of its tenant, taken on the caller's thread.

A text is cut into skeleton and literals once, and a skeleton is parsed once; a call with a text
that was seen before costs a dictionary look-up and the evaluation of its plan. All that is needed
of the parameters is taken before `examine` or `claims` returns: they are the caller's to change
afterwards. What `examine` has taken of a usual call is evaluated on the background thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from tenantmetrics.capture.request import Evidence, Examined, Request
from tenantmetrics.config import Config
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.health import Health, Loss
from tenantmetrics.life import unforked
from tenantmetrics.records import (
    Claim,
    Claims,
    Source,
    Transition,
)
from tenantmetrics.refusals import Refusal
from tenantmetrics.sqltext.fingerprint import fingerprint
from tenantmetrics.tenant.bound_text import Bound, Key
from tenantmetrics.tenant.evaluate_plan import evaluated
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.identity.source_precedence import asked_sources
from tenantmetrics.tenant.identity.tenant_context import current
from tenantmetrics.tenant.identity.tenant_ids import from_text
from tenantmetrics.tenant.session.strict import Strict
from tenantmetrics.tenant.sql.plan import Plan, parameters_of
from tenantmetrics.tenant.sql.plan_cache import Generations
from tenantmetrics.tenant.sql.restrictions import UNKNOWN
from tenantmetrics.tenant.sql.sql_comments import tenants_in_comments
from tenantmetrics.tenant.sql.template import skeleton
from tenantmetrics.tenant.surroundings import Surroundings

__all__ = ["Resolver"]

_MAX_TEXT_CHARS = 8_000_000
"""Characters of all cached texts, 16 MB at most; 4,096 statements of ordinary length are 2 MB."""
_MAX_NAMES = 16_384
"""Claims that are kept ready for a statement and a tenant; a fleet's working set, about 10 MB."""
_MAX_NAME_CHARS = 64
_MAX_VALUE_CHARS = 1_024
"""A longer value is evaluated at once: it would wait in the queue."""
_NO_VALUES: Mapping[str, Mapping[str, Any]] = {}
_EMPTY = Claims()
_WITHOUT_WORK = Claims(workless=True)
# Operations without a text. COMMIT works: PostgreSQL tells its time under this text.
_OF_TRANSITION = {
    Transition.BEGIN: _WITHOUT_WORK,
    Transition.ROLLBACK: _WITHOUT_WORK,
    Transition.COMMIT: Claims(fingerprint=fingerprint("COMMIT")),
}


class Resolver:
    """Finds what calls say of their tenants.

    Args:
        config: The settings.
        health: Counts texts that could not be planned.
    """

    def __init__(self, config: Config, health: Health) -> None:
        self.vocabulary = Vocabulary(config)
        self._health = health
        self._texts: Generations[Bound] = Generations(config.max_plans, _MAX_TEXT_CHARS)
        self._plans: Generations[Plan] = Generations(config.max_plans, _MAX_TEXT_CHARS)
        self._count = 0
        asked = asked_sources(config.tenant_sources)
        self._surroundings = Surroundings(self.vocabulary, asked)
        self._asked = asked
        self._current = current if Source.CONTEXT in asked else _nobody
        self._own = tuple(source for source in config.tenant_sources if not isinstance(source, str))
        self._strict = Strict(config)
        self._textless = {
            transition: Bound(self, Plan(), fixed=_OF_TRANSITION.get(transition, _EMPTY))
            for transition in Transition
        }
        self.forget = self._strict.forget
        self.observe = self._strict.observe

    @property
    def cached_texts(self) -> int:
        """Texts whose plan is kept."""
        return len(self._texts)

    @property
    def cached_plans(self) -> int:
        """Skeletons whose plan is kept."""
        return len(self._plans)

    @property
    def cached_chars(self) -> int:
        """Characters of all texts that are kept."""
        return self._texts.chars

    @property
    def examines(self) -> bool:
        """Whether `examine` says all: sources of one's own have to be asked call by call."""
        return not self._own

    def examine(  # noqa: C901, PLR0911 - nothing is done twice on the path of every call
        self, call: Examined, sql: str, parameters: Any, in_transaction: object
    ) -> bool:
        """Fill in what the claims of a usual call rest on: most calls come here and no further.

        The usual call has no parameter that decides, or one, which is a string.

        Args:
            call: The call, to be filled in.
            sql: Its text.
            parameters: What fills it, in a form of `Request.parameters`; of one statement.
            in_transaction: True, or a string that is not empty, where a transaction is open.

        Returns:
            Whether it is a usual call; `Bound.claims` is asked with what was filled in.

        Raises:
            KeyError: A parameter is not as the Data API has them.
            TypeError: Likewise, or the text is not a string.
        """
        try:
            bound = self._texts.young[sql]
        except KeyError:
            if not sql or sql.__class__ is not str:
                return False
            bound = self.bound(sql)
        wanted = bound.parameter
        if wanted is None:
            if bound.fixed is None:
                return False
            call.decides, call.value, call.tenant = bound, None, self._current()
            return True
        if parameters.__class__ is not list or (bound.sets_only and not in_transaction):
            return False
        for parameter in parameters:
            if parameter["name"] == wanted:
                # A field has one member: botocore sends no other.
                value = parameter["value"]["stringValue"]
                if value.__class__ is not str or len(value) > _MAX_VALUE_CHARS:
                    return False
                if "typeHint" in parameter:
                    hint = parameter["typeHint"]
                    if hint.__class__ is not str:
                        return False
                    value = (value, hint)
                call.decides = bound
                call.value = value
                call.tenant = self._current()
                return True
        return False

    def claims(self, request: Request) -> Claims:
        """What a call says of its tenant; all calls can be asked.

        Args:
            request: The call, its parameters as the caller gave them.
        """
        sql = request.sql
        if not self._own:
            if not sql:
                bound = self._textless[request.transition]
                return bound.claims(None, self._current(), request.database, request.schema)
            if not request.batch:
                with contextlib.suppress(KeyError, TypeError):
                    found = Evidence()
                    if self.examine(found, sql, request.parameters, request.in_transaction):
                        return found.decides.claims(
                            found.value, found.tenant, request.database, request.schema
                        )
        bound = self.bound(sql) if sql else self._textless[request.transition]
        claims = bound.fixed or self._evaluated(
            bound, _sets(request), in_transaction=request.in_transaction
        )
        own = self._of_own_sources(request) if self._own else None
        return self._surroundings.added(
            claims, own, self._current(), request.database, request.schema
        )

    def bound(self, sql: str) -> Bound:
        """A text's plan, from the cache or made now."""
        found = self._texts.young.get(sql) or self._texts.aged(sql)
        if found is not None:
            return found
        cut = skeleton(sql)
        plan = self._plans.young.get(cut.template) or self._plans.aged(cut.template)
        if plan is None:
            try:
                with unforked:
                    from tenantmetrics.tenant.sql.planner import (  # noqa: PLC0415 - sqlglot: 80 ms
                        plan_of,
                    )

                plan = plan_of(cut.template, self.vocabulary)
            except Exception as error:  # noqa: BLE001 - whatever a text provokes, the call goes on
                self._health.count(Loss.TENANT_ERROR, error=error, where="plan")
                plan = Plan(node=UNKNOWN, mentions=True, why="failed")
            self._plans.put(cut.template, plan)
        tenants: Sequence[str] = ()
        if Source.COMMENT in self._asked:
            tenants = tenants_in_comments(cut.comments, self.vocabulary.comment_keys)
        shares = tuple((tenant, 1) for tenant in tenants)
        bound = Bound(self, plan, cut.literals, Claim(Source.COMMENT, shares) if shares else None)
        names = parameters_of(plan, cut.literals)
        if not names and not plan.sets_only:
            bound.fixed = self._evaluated(bound, [_NO_VALUES], in_transaction=True)
        elif len(names) == 1:
            (bound.parameter,) = names
        self._texts.put(sql, bound)
        return bound

    def remembered(self, bound: Bound, key: Key) -> Claims:
        """A usual call's claims, worked out and kept for the next one that is like it."""
        value, tenant, database, schema = key
        claims = bound.fixed or self._evaluated(
            bound, [_sole(bound.parameter, value)], in_transaction=True
        )
        claims = self._surroundings.added(claims, None, tenant, database, schema)
        if any(_length(part) > _MAX_NAME_CHARS for part in key):
            return claims
        if self._count >= _MAX_NAMES:
            self._count = 0
            for known in [*self._texts.values(), *self._textless.values()]:
                known.memo = {}
        self._count += 1
        bound.memo[key] = claims
        return claims

    def failed(self, error: Exception) -> None:
        """Count what went wrong here; the call goes on."""
        self._health.count(Loss.TENANT_ERROR, error=error, where="claims")

    def _evaluated(
        self,
        bound: Bound,
        sets: Sequence[Any],
        *,
        in_transaction: bool,
    ) -> Claims:
        return evaluated(
            bound,
            sets,
            in_transaction=in_transaction,
            asked=self._asked,
            vocabulary=self.vocabulary,
        )

    def _of_own_sources(self, request: Request) -> str | None:
        """The tenant that the first of the sources of one's own names."""
        for source in self._own:
            try:
                name = source.tenant(request)
                tenant = from_text(name) if name is not None else None
            except Exception as error:  # noqa: BLE001 - theirs failed; the others are still asked
                self._health.count(Loss.TENANT_ERROR, error=error, where="tenant source")
                continue
            if tenant is not None:
                return tenant
        return None

    def judge(self, request: Request) -> Refusal | None:
        """Why `strict` refuses the call, None where it does not; see `tenant.session.strict`."""
        plan = self.bound(request.sql).plan if request.sql else None
        return self._strict.check(request, plan)

    def check(self, request: Request) -> None:
        """Refuse a call that must not be sent.

        Raises:
            TenantRefusedError: No tenant, or two that disagree; says what was found where.
        """
        refusal = self.judge(request)
        if refusal is not None:
            raise TenantRefusedError(refusal.message)


def _nobody() -> None:
    """In the place of the context where it is not asked."""


def _length(part: object) -> int:
    """Characters of a part of a key, type hints included."""
    return len(part) if isinstance(part, str) else sum(map(_length, part or ()))  # type: ignore[call-overload]


def _sole(name: str | None, value: object) -> Mapping[str, Mapping[str, Any]]:
    """The parameters that decide, as `examine` has read them: none, or one string."""
    if name is None:
        return _NO_VALUES
    if isinstance(value, tuple):
        return {name: {"value": {"stringValue": value[0]}, "typeHint": value[1]}}
    return {name: {"value": {"stringValue": value}}}


def _sets(request: Request) -> Sequence[Any]:
    """The parameters of each execution: one of a statement, as many as a batch has sets."""
    parameters = request.parameters
    if request.batch:
        return parameters if isinstance(parameters, list | tuple) and parameters else [None]
    return [parameters]
