"""Functions that set a session's variables, or that take a tenant, as a statement calls them."""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.records import SessionVerb
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.plan import StepPlan
from tenantmetrics.tenant.sql.query_scope import UNKNOWN
from tenantmetrics.tenant.sql.restrictions import Fixed, Named, Restriction, State, Touched
from tenantmetrics.tenant.sql.value_expressions import SESSION, bare, function_name, value_operand

__all__ = ["session_step", "tenant_of_call"]

_CHOOSING = (exp.Case, exp.If, exp.And, exp.Or, exp.Where, exp.Having, exp.Join, exp.Filter)


def session_step(call: exp.Anonymous, vocabulary: Vocabulary) -> StepPlan | None:
    """What a call does to its session; None for a function that does nothing to it.

    Args:
        call: A call of a function that PostgreSQL's grammar does not know.
        vocabulary: The tenant's names.
    """
    name = function_name(call)
    if name == "set_config":
        return _if_it_runs(call, _set_config(call))
    if name in vocabulary.setters:
        return _if_it_runs(call, _setter(call, vocabulary.setters[name]))
    return None


def _if_it_runs(call: exp.Expr, step: StepPlan) -> StepPlan:
    """A step whose value is not known where it is not sure that the call is run.

    `SELECT set_config(…) WHERE false` sets nothing, and neither does a branch that is not taken.
    """
    part, above = call, call.parent
    while above is not None:
        if isinstance(above, _CHOOSING) or (
            isinstance(above, exp.Coalesce) and part is not above.this
        ):
            return step._replace(value=None)
        if isinstance(above, exp.Select) and _may_give_no_row(above, part):
            return step._replace(value=None)
        part, above = above, above.parent
    return step


def _may_give_no_row(select: exp.Select, part: exp.Expr) -> bool:
    where = select.args.get("where")
    if where is not None and not (isinstance(where.this, exp.Boolean) and where.this.this):
        return True
    if any(select.args.get(key) is not None for key in ("limit", "offset", "having")):
        return True
    from_ = select.args.get("from_")
    table = from_.this if from_ is not None else None
    # What reads a table gives no row where the table is empty.
    return (
        part.arg_key == "expressions"
        and isinstance(table, exp.Table)
        and not isinstance(table.this, exp.Func)
    )


def _set_config(node: exp.Anonymous) -> StepPlan:
    """`set_config(name, value, is_local)`, each of which may be a parameter."""
    arguments = [*node.expressions, None, None, None][:3]
    name = value_operand(arguments[0])
    value = value_operand(arguments[1])
    local = bare(arguments[2])
    how: bool | Operand = False
    if isinstance(local, exp.Boolean):
        how = bool(local.this)
    elif isinstance(operand := value_operand(local), Operand):
        how = operand
    return StepPlan(
        SessionVerb.SET,
        name if isinstance(name, Operand) else "",
        value if isinstance(value, Operand) else None,
        how,
    )


def _setter(node: exp.Anonymous, position: int) -> StepPlan:
    """A configured function that sets the session's tenant, for the transaction."""
    arguments = node.expressions[position : position + 1]
    value = value_operand(arguments[0]) if arguments else None
    name = function_name(node)
    return StepPlan(SessionVerb.SET, name, value if isinstance(value, Operand) else None, True)


def tenant_of_call(node: exp.Anonymous, position: int) -> Restriction:
    """A configured function that takes a tenant."""
    arguments = node.expressions[position : position + 1]
    value = value_operand(arguments[0]) if arguments else None
    if value is SESSION:
        return Fixed(Touched(State.SESSION))
    return Named((value,)) if isinstance(value, Operand) else UNKNOWN
