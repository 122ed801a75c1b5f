"""One statement that tells PostgreSQL its tenant itself, or why it cannot.

The gate is a condition without a column, `(SELECT set_config(…)) IS NOT NULL`. PostgreSQL's planner
makes it a one-time filter of the topmost plan node, which is evaluated before anything below it is
started; all that reads a table is put below:

| statement | becomes |
|---|---|
| SELECT, VALUES | `SELECT * FROM (SELECT * FROM (…) a OFFSET 0) b WHERE gate` |
| INSERT … VALUES | `INSERT … SELECT … WHERE gate`; rows, `SELECT * FROM (VALUES …) WHERE gate` |
| INSERT … SELECT | its SELECT as above |
| UPDATE, DELETE | `FROM (SELECT WHERE true OFFSET 0) g, … WHERE gate AND (…)`, `USING …` |

`OFFSET 0` keeps the planner from merging what is inside with what is outside; the empty `g` makes a
join of every UPDATE and DELETE, above which the filter stands: of a partitioned table alone, it
would stand in each partition, below the node that decides by the tenant which partitions to read.

The text is cut by PostgreSQL's lexical rules and only put together anew: no part is written by a
generator. sqlglot is the proof: what it reads in the new text is, with the gate taken away, what it
reads in the old one. What it does not understand is refused.

A change of rows in WITH is refused: PostgreSQL runs it to its end even where it has proved that the
statement behind it gives nothing (`WHERE id = 1 AND id = 2`), and then never evaluates the gate.

So is an UPDATE or a DELETE with a subquery in a condition of its WITH, FROM or USING. PostgreSQL
merges these with the statement; what is about no column then stands in the same filter as the gate
and before it: `NOT EXISTS (SELECT FROM t)` would be asked under the tenant that somebody left over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp
from sqlglot.helper import ensure_list

from tenantmetrics.rls.clauses import Clauses, NotCutError, cut
from tenantmetrics.tenant.sql.parser import parse_template

__all__ = ["Gated", "condition", "gated", "parameters"]

_MAX_TEXTS = 1_000
_REMEMBERED_CHARS = 4_096
"""With what is made of them, 12 MB at most."""
_ALIAS = "tenantmetrics_gate"
_MARK = "tenantmetrics_gate_holds"
"""Stands for the gate while the proof is made."""
_ONE_ROW = f"(SELECT WHERE true OFFSET 0) AS {_ALIAS}"
"""No column, which `RETURNING *` would show; WHERE, for sqlglot reads no `SELECT OFFSET`."""
_HEAD = "SELECT * FROM (SELECT * FROM ("
_ROWS = "SELECT * FROM ("
_MERGED = ("with_", "from_", "using")
_SOURCES = (exp.From, exp.Join, exp.Lateral, exp.Subquery, exp.SetOperation, exp.CTE, exp.Delete)
"""What a query that is a source of rows stands in."""
_TAIL = f"\n) AS {_ALIAS} OFFSET 0) AS {_ALIAS} WHERE "


@dataclass(frozen=True, slots=True)
class Gated:
    """A statement on both sides of its gate, or why there is none.

    Attributes:
        before: Its text before the condition.
        after: Its text behind it.
        refused: Why it is none; empty otherwise.
        applies: Whether the statement is of a kind that could be gated: a query or a change of
            rows.
    """

    before: str = ""
    after: str = ""
    refused: str = ""
    applies: bool = True


def condition(number: int) -> str:
    """The gate.

    Args:
        number: How many variables it sets; their parameters are named as `parameters` names them.
    """
    calls = (f"set_config(:{_ALIAS}_n{i}, :{_ALIAS}_v{i}, true)" for i in range(number))
    return f"(SELECT {' || '.join(calls)}) IS NOT NULL"


def parameters(variables: dict[str, str]) -> dict[str, str]:
    """The gate's parameters, none of which is named like one of the application's.

    Args:
        variables: Name → value.
    """
    found: dict[str, str] = {}
    for number, (name, value) in enumerate(variables.items()):
        found |= {f"{_ALIAS}_n{number}": name, f"{_ALIAS}_v{number}": value}
    return found


def gated(sql: str) -> Gated:
    """A statement's text around its gate; remembered for texts of a usual length.

    Args:
        sql: One statement.
    """
    return _remembered(sql) if len(sql) <= _REMEMBERED_CHARS else _made(sql)


def _made(sql: str) -> Gated:
    try:
        clauses = cut(sql)
    except NotCutError as error:
        return Gated(refused=str(error), applies=error.applies)
    if _ALIAS in sql:
        return Gated(refused="it has a name of the gate's")
    old = _parsed(clauses.text)
    if old is not None and _changes_inside(old):
        return Gated(refused="it changes rows in WITH")
    if isinstance(old, exp.Update | exp.Delete) and _asks_first(old):
        return Gated(refused="a subquery in WITH, FROM or USING may be asked before the gate")
    before, after = _around(clauses)
    if old is None or not _is_proved(clauses, old, before, after):
        return Gated(refused="the parser reads it in another way")
    return Gated(clauses.leading + before, after + clauses.trailing)


_remembered = lru_cache(maxsize=_MAX_TEXTS)(_made)


def _around(clauses: Clauses) -> tuple[str, str]:
    """The new statement's text before and behind the condition."""
    if clauses.kind == "select":
        return f"{clauses.head}{_HEAD}{clauses.source}{_TAIL}", ""
    if clauses.kind == "insert":
        if clauses.is_row:
            return f"{clauses.head}SELECT {clauses.source}\nWHERE ", f"\n{clauses.tail}"
        if clauses.is_values:
            rows = f"{_ROWS}{clauses.source}\n) AS {_ALIAS} WHERE "
            return f"{clauses.head}{rows}", f"\n{clauses.tail}"
        return f"{clauses.head}{_HEAD}{clauses.source}{_TAIL}", f"\n{clauses.tail}"
    word = "FROM" if clauses.kind == "update" else "USING"
    others = f", {clauses.source}" if clauses.source else ""
    before = f"{clauses.head}\n{word} {_ONE_ROW}{others}\nWHERE "
    own = f" AND (\n{clauses.where}\n)" if clauses.where else ""
    return before, f"{own}\n{clauses.tail}"


def _changes_inside(old: exp.Expr) -> bool:
    return any(found is not old for found in old.find_all(exp.DML, exp.Merge))


def _asks_first(old: exp.Update | exp.Delete) -> bool:
    """Whether a subquery is a value or a condition in what PostgreSQL may merge with the change."""
    merged = [part for key in _MERGED for part in ensure_list(old.args.get(key) or [])]
    return any(
        not isinstance(query.parent, _SOURCES)
        for part in merged
        for query in part.find_all(exp.Query)
    )


def _is_proved(clauses: Clauses, old: exp.Expr, before: str, after: str) -> bool:
    """Whether the new statement, without its gate, is the old one."""
    new = _parsed(f"{before}{_MARK}{after}")
    if new is None or old.find(exp.Into) is not None:
        return False
    if clauses.kind == "select":
        return isinstance(old, exp.Query | exp.Values) and _of_query(old, new)
    if isinstance(old, exp.Insert) and isinstance(new, exp.Insert):
        return clauses.kind == "insert" and _of_insert(clauses, old, new)
    if isinstance(old, exp.Update) and isinstance(new, exp.Update):
        return clauses.kind == "update" and _without_gate(new, "from_") == old
    if isinstance(old, exp.Delete) and isinstance(new, exp.Delete):
        return clauses.kind == "delete" and _without_gate(new, "using") == old
    return False


def _parsed(text: str) -> exp.Expr | None:
    found = parse_template(text)
    if isinstance(found, str) or len(found) != 1 or found[0].find(exp.Command) is not None:
        return None
    return found[0]


def _inside(query: exp.Expr | None) -> exp.Expr | None:
    """What stands in `(SELECT * FROM (…) AS a OFFSET 0)`."""
    if not isinstance(query, exp.Select) or query.args.get("joins"):
        return None
    from_ = query.args.get("from_")
    held = from_.this if from_ is not None else None
    if isinstance(held, exp.Values) and held.alias == _ALIAS:
        return exp.Values(expressions=held.expressions)
    if not isinstance(held, exp.Subquery) or held.alias != _ALIAS:
        return None
    inner: exp.Expr = held.this
    return inner


def _is_gate(query: exp.Expr | None) -> bool:
    where = query.args.get("where") if query is not None else None
    return where is not None and isinstance(where.this, exp.Column) and where.this.name == _MARK


def _of_query(old: exp.Expr, new: exp.Expr) -> bool:
    if not _is_gate(new):
        return False
    held = _inside(_inside(new))
    with_ = new.args.get("with_")
    if held is None:
        return False
    old = old.copy()
    own = old.args.get("with_")
    if own != with_:
        return False
    old.set("with_", None)
    return _bare(held) == _bare(old)


def _bare(query: exp.Expr) -> exp.Expr:
    """A query without parentheses that are around all of it."""
    while isinstance(query, exp.Subquery) and query.is_wrapper:
        query = query.this
    return query


def _of_insert(clauses: Clauses, old: exp.Insert, new: exp.Insert) -> bool:
    source, held = new.expression, old.expression
    if not _is_gate(source):
        return False
    if clauses.is_row:
        rows = held.expressions if isinstance(held, exp.Values) else []
        if len(rows) != 1 or not isinstance(rows[0], exp.Tuple):
            return False
        same = source.expressions == rows[0].expressions and not source.args.get("from_")
    elif clauses.is_values:
        same = _values(source) == held.expressions if isinstance(held, exp.Values) else False
    else:
        inner = _inside(_inside(source))
        same = inner is not None and _bare(inner) == _bare(held)
    old, new = old.copy(), new.copy()
    old.set("expression", None)
    new.set("expression", None)
    return same and old == new


def _values(source: exp.Expr) -> list[exp.Expr]:
    from_ = source.args.get("from_")
    held = from_.this if from_ is not None else None
    if isinstance(held, exp.Subquery):
        held = held.this
    return held.expressions if isinstance(held, exp.Values) else []


def _without_gate(new: exp.Expr, others: str) -> exp.Expr | None:
    """An UPDATE or a DELETE whose one-row table and gate are taken away."""
    new = new.copy()
    where = new.args.get("where")
    if where is None:
        return None
    if _is_gate(new):
        new.set("where", None)
    elif isinstance(where.this, exp.And) and isinstance(where.this.expression, exp.Paren):
        left = where.this.left
        if not (isinstance(left, exp.Column) and left.name == _MARK):
            return None
        new.set("where", exp.Where(this=where.this.expression.this))
    else:
        return None
    return new if _without_one_row(new, others) else None


def _without_one_row(new: exp.Expr, others: str) -> bool:
    """Take the one-row table away; what stood behind its comma takes its place."""
    held = new.args.get(others)
    first = held.this if isinstance(held, exp.From) else (held or [None])[0]
    if first is None or first.alias != _ALIAS:
        return False
    joins = [*first.args.get("joins", ())]
    if not joins:
        new.set(others, None)
        return True
    first = joins[0].this
    first.set("joins", [*first.args.get("joins", ()), *joins[1:]] or None)
    new.set(others, exp.From(this=first) if isinstance(held, exp.From) else [first])
    return True
