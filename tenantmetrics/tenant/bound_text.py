"""A text and all that is known of it before its parameters are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantmetrics.records import Claim, Claims
from tenantmetrics.tenant.sql.literals import Literals
from tenantmetrics.tenant.sql.plan import Plan

if TYPE_CHECKING:
    from tenantmetrics.tenant.resolve import Resolver

__all__ = ["Bound", "Key"]

_NO_LITERALS = Literals([])
_EMPTY = Claims()

Key = tuple[object, str | None, str, str]
"""What claims are remembered by, a text apart: the value of its parameter, context, database,
schema."""


class Bound:
    """A text: its plan, and what the plan is filled with besides parameters.

    Attributes:
        plan: What the text's skeleton says.
        literals: The text's literals by slot.
        comment: What its comments name.
        fixed: The claims, where no parameter can change them.
        parameter: The parameter that decides, where it is a single one.
        sets_only: Whether the claims depend on `Request.in_transaction` too.
        memo: Claims with what is said around the text: by the value of the parameter that decides,
            context, database and schema.
    """

    __slots__ = (
        "comment", "fixed", "literals", "memo", "parameter", "plan", "resolver", "sets_only",
    )  # fmt: skip

    def __init__(
        self,
        resolver: Resolver,
        plan: Plan,
        literals: Literals = _NO_LITERALS,
        comment: Claim | None = None,
        fixed: Claims | None = None,
    ) -> None:
        self.resolver = resolver
        self.plan = plan
        self.literals = literals
        self.comment = comment
        self.fixed = fixed
        self.parameter: str | None = None
        self.sets_only = plan.sets_only
        self.memo: dict[Key, Claims] = {}

    def claims(self, value: object, context: str | None, database: str, schema: str) -> Claims:
        """The claims of a usual call; see `capture.request.Decides`."""
        key = (value, context, database, schema)
        try:
            return self.memo.get(key) or self.resolver.remembered(self, key)
        except Exception as error:  # noqa: BLE001 - the call counts, without a tenant
            self.resolver.failed(error)
            return _EMPTY
