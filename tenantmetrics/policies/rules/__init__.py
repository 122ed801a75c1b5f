"""Every rule, in the order in which a report shows them.

An id stays for ever: what is in baselines and in code scanning is known by it.
"""

from __future__ import annotations

from tenantmetrics.policies.finding import Rule, Severity
from tenantmetrics.policies.rules import expressions, keys, relations, roles, tables

__all__ = ["RULES"]

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

RULES: tuple[Rule, ...] = (
    Rule("RLS001", "rls-off", _ERROR, "row-level security is off", tables.rls_off),
    Rule("RLS002", "rls-not-forced", _WARNING, "it does not apply to the owner", tables.not_forced),
    Rule("RLS003", "no-policy", _WARNING, "no policy lets any row through", tables.no_policy),
    Rule("RLS004", "partition-open", _ERROR, "a partition without it", tables.partition_open),
    Rule("RLS005", "child-open", _ERROR, "an inheriting child without it", tables.inherited_open),
    Rule("RLS006", "tenant-nullable", _WARNING, "the tenant may be NULL", tables.nullable),
    Rule("RLS007", "no-index", _WARNING, "no index begins with the tenant", tables.slow_scan),
    Rule(
        "RLS008", "foreign-table", _ERROR, "a foreign table that can be read", tables.foreign_table
    ),
    Rule(
        "RLS009",
        "no-tenant-column",
        _WARNING,
        "a table that belongs to tenants' rows, without column and policy",
        tables.child_without_column,
    ),
    Rule("RLS010", "policy-true", _ERROR, "a policy that is always true", expressions.always_true),
    Rule(
        "RLS011",
        "policy-or",
        _WARNING,
        "an OR with a branch that is not tied to the tenant",
        expressions.free_branch,
    ),
    Rule("RLS012", "policy-unbound", _ERROR, "a policy without the tenant", expressions.unbound),
    Rule(
        "RLS013", "no-with-check", _WARNING, "USING without WITH CHECK", expressions.missing_check
    ),
    Rule("RLS014", "volatile-function", _WARNING, "a volatile function", expressions.volatile),
    Rule(
        "RLS015",
        "immutable-session",
        _ERROR,
        "an IMMUTABLE function that reads the session",
        expressions.immutable_session,
    ),
    Rule(
        "RLS016",
        "setting-raises",
        _WARNING,
        "current_setting without missing_ok",
        expressions.raises_when_unset,
    ),
    Rule("RLS017", "setting-per-row", _INFO, "current_setting for each row", expressions.per_row),
    Rule(
        "RLS018",
        "column-wrapped",
        _WARNING,
        "the tenant column inside a function or a cast",
        expressions.column_wrapped,
    ),
    Rule(
        "RLS019",
        "policy-by-role",
        _WARNING,
        "a column compared with current_user",
        expressions.compares_role,
    ),
    Rule(
        "RLS020",
        "unique-without-tenant",
        _WARNING,
        "a unique key without the tenant column",
        keys.unique_without_tenant,
    ),
    Rule(
        "RLS021",
        "foreign-key-across",
        _WARNING,
        "a foreign key that does not pair the tenant columns",
        keys.across_tenants,
    ),
    Rule("RLS022", "superuser", _ERROR, "the application is a superuser", roles.superuser),
    Rule("RLS023", "role-bypasses", _ERROR, "a role with BYPASSRLS", roles.bypasses),
    Rule("RLS024", "role-owns", _WARNING, "the application owns its tables", roles.owns),
    Rule("RLS025", "truncate", _WARNING, "the application may TRUNCATE", roles.empties),
    Rule(
        "RLS026", "view-of-owner", _ERROR, "a view with its owner's rights", relations.owners_view
    ),
    Rule(
        "RLS027",
        "materialised-view",
        _ERROR,
        "a materialised view that can be read",
        relations.materialised,
    ),
    Rule(
        "RLS028",
        "definer-function",
        _ERROR,
        "a SECURITY DEFINER function that bypasses policies",
        relations.definer_function,
    ),
    Rule(
        "RLS029",
        "definer-search-path",
        _INFO,
        "a SECURITY DEFINER function without search_path",
        relations.definer_path,
    ),
    Rule("RLS030", "sequence", _WARNING, "a sequence that can be set", relations.open_sequence),
)
