"""Functions that set a session's variables, or that take a tenant, as a statement calls them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from tenantmetrics.records import SessionVerb
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.plan import StepPlan
from tenantmetrics.tenant.sql.proof.joins import is_comma
from tenantmetrics.tenant.sql.query_summary import is_inside
from tenantmetrics.tenant.sql.restrictions import (
    Restriction,
)
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped
from tenantmetrics.tenant.sql.tenant_comparisons import named
from tenantmetrics.tenant.sql.value_expressions import bare, function_name, value_operand

__all__ = ["SessionCalls", "tenant_of_call"]

_CHOOSING = (
    *(exp.Case, exp.If, exp.And, exp.Or, exp.Where, exp.Having, exp.Filter),
    *(exp.Exists, exp.Intersect, exp.Except, exp.Update, exp.Delete, exp.Merge, exp.Returning),
    *(exp.OnConflict, exp.Limit, exp.Offset, exp.Fetch),
)
"""What is below these may not be run, or not for any row."""
_COMPUTED = (exp.Func, exp.Binary, exp.Predicate)
"""Where one of their arguments is NULL, or decides, the others may not be run."""
_SETS = (exp.Explode, exp.Unnest, exp.GenerateSeries, exp.ExplodingGenerateSeries)
_MAY_CUT = ("limit", "offset", "having", "laterals")
_MAX_LEVELS = 8
_SEVERAL = 2


class SessionCalls:
    """What the calls of one statement do to its session.

    Args:
        vocabulary: The tenant's names.
        budget: The steps that are left.
    """

    def __init__(self, vocabulary: Vocabulary, budget: Budget) -> None:
        self._vocabulary = vocabulary
        self._budget = budget
        # By the id of a query, whether its select list may give more rows than one, or none.
        self._sets: dict[int, bool] = {}
        self._tables: dict[str, list[exp.Table]] | None = None

    def steps(self, calls: Iterable[exp.Anonymous]) -> tuple[StepPlan, ...]:
        """What the calls of a statement do to its session, functions that do nothing left out.

        A value is not known where it is not sure that the call is run: `SELECT set_config(…)
        WHERE false` sets nothing, and neither does a branch that is not taken.

        Args:
            calls: Calls of functions that PostgreSQL's grammar does not know, as they are written.

        Raises:
            TooMuchWorkError: It takes more steps than are left.
        """
        found = [(call, step) for call in calls if (step := self._step(call)) is not None]
        ordered = len(found) < _SEVERAL or self._are_ordered([call for call, _ in found])
        return tuple(step._replace(unordered=not ordered) for _, step in found)

    def _step(self, call: exp.Anonymous) -> StepPlan | None:
        name = function_name(call)
        setters = self._vocabulary.setters
        if name == "set_config":
            step = _set_config(call)
        elif name in setters:
            step = _setter(call, setters[name])
        else:
            return None
        return step if self._is_run(call) else step._replace(value=None)

    def _are_ordered(self, calls: list[exp.Anonymous]) -> bool:
        """Whether calls are run as they are written: items of one select list, none in another."""
        lists, known = set(), {id(call) for call in calls}
        for call in calls:
            part: exp.Expr = call
            above = call.parent
            while above is not None and not isinstance(above, exp.Query | exp.DML):
                self._budget.spend(1)
                if id(above) in known:
                    return False
                part, above = above, above.parent
            if not isinstance(above, exp.Select) or part.arg_key != "expressions":
                return False
            # What is sorted or told apart is computed before the rest.
            if any(above.args.get(key) for key in ("order", "distinct", "group")):
                return False
            lists.add(id(above))
        return len(lists) == 1

    def _is_run(
        self, node: exp.Expr, levels: int = 0, asked: set[tuple[int, int]] | None = None
    ) -> bool:
        """Whether a part of a statement is run for sure.

        Args:
            node: A call, or the place where a WITH query is read.
            levels: WITH queries that read each other, so far.
            asked: WITH queries, by id and level, that were asked before and are not read for sure.
                Each may be read in several places, and they read each other.
        """
        asked = set() if asked is None else asked
        part, above = node, node.parent
        while above is not None:
            self._budget.spend(1)
            if isinstance(above, exp.Join):
                if not isinstance(node, exp.Table) or not is_comma(above):
                    return False
            elif (
                isinstance(above, _CHOOSING)
                or (isinstance(above, _COMPUTED) and not _runs_argument(above, part))
                or (
                    isinstance(above, exp.Select)
                    and part.arg_key != "with_"
                    and self._may_cut(above, part)
                )
            ):
                return False
            elif isinstance(above, exp.CTE):
                return isinstance(above.this, exp.DML) or self._is_read(above, levels, asked)
            part, above = above, above.parent
        return True

    def _is_read(self, cte: exp.CTE, levels: int, asked: set[tuple[int, int]]) -> bool:
        """Whether all rows of a WITH query are read for sure."""
        if levels >= _MAX_LEVELS or (id(cte), levels) in asked:
            return False
        # One that is read for sure ends all asking: what is asked again was not.
        asked.add((id(cte), levels))
        if self._tables is None:
            self._tables = {}
            for table in cte.root().find_all(exp.Table):
                if isinstance(table.parent, exp.From | exp.Join):
                    self._tables.setdefault(table.name.lower(), []).append(table)
        own = {id(cte)}
        return any(
            not is_inside(table, own) and self._is_run(table, levels + 1, asked)
            for table in self._tables.get(cte.alias.lower(), ())
        )

    def _may_cut(self, select: exp.Select, part: exp.Expr | None = None) -> bool:
        """Whether a query may give no row.

        Args:
            select: The query.
            part: Its part that the call stands in: FROM or a join, whose rows are judged by
                themselves.
        """
        where = select.args.get("where")
        if where is not None and not (isinstance(where.this, exp.Boolean) and where.this.this):
            return True
        if any(select.args.get(key) for key in _MAY_CUT):
            return True
        joins = select.args.get("joins") or []
        if part is not None and part.arg_key in {"from_", "joins"}:
            return not all(map(is_comma, joins))
        if joins or self._gives_sets(select):
            return True
        from_ = select.args.get("from_")
        source = from_.this if from_ is not None else None
        if isinstance(source, exp.Subquery):
            inner = unwrapped(source.this)
            return not isinstance(inner, exp.Select) or self._may_cut(inner)
        # What reads a table gives no row where the table is empty.
        return source is not None and not isinstance(source, exp.Values)

    def _gives_sets(self, select: exp.Select) -> bool:
        """Whether a function in the select list gives a set of rows; a list is looked at once."""
        known = self._sets.get(id(select))
        if known is None:
            known = any(isinstance(n, _SETS) for item in select.expressions for n in item.walk())
            self._sets[id(select)] = known
        return known


def _runs_argument(node: exp.Expr, argument: exp.Expr) -> bool:
    """Whether a function or an operator runs this argument whatever its others are."""
    if isinstance(node, exp.Cast | exp.Dot):
        return True
    if isinstance(node, exp.Coalesce):
        return argument is node.this
    return all(other is argument for other in node.iter_expressions())


def _set_config(node: exp.Anonymous) -> StepPlan:
    """`set_config(name, value, is_local)`, each of which may be a parameter."""
    arguments = [*node.expressions, None, None, None][:3]
    name = value_operand(arguments[0])
    if not isinstance(name, Operand):
        # A name that is put together, or read from rows: it may be that of any variable.
        return StepPlan(SessionVerb.SET, body=Operand())
    value = value_operand(arguments[1])
    local = bare(arguments[2])
    how: bool | Operand = False
    if isinstance(local, exp.Boolean):
        how = bool(local.this)
    elif isinstance(operand := value_operand(local), Operand):
        how = operand
    else:
        # Whether it lasts is not known, so neither is what the session holds.
        value = None
    return StepPlan(
        SessionVerb.SET,
        name,
        value if isinstance(value, Operand) else None,
        how,
    )


def _setter(node: exp.Anonymous, position: int) -> StepPlan:
    """A configured function that sets the session's tenant, for the transaction."""
    arguments = node.expressions[position : position + 1]
    value = value_operand(arguments[0]) if arguments else None
    name = function_name(node)
    return StepPlan(SessionVerb.SET, name, value if isinstance(value, Operand) else None, True)


def tenant_of_call(node: exp.Expr, position: int) -> Restriction:
    """A configured function that takes a tenant."""
    arguments = node.expressions[position : position + 1]
    return named([value_operand(arguments[0]) if arguments else None])
