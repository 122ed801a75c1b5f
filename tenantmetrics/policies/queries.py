# ruff: noqa: S608 - put together from constants of this file
"""The SELECTs on PostgreSQL's catalogue; each row is a key to go on from, and a JSON document.

Every role may read what they read: PostgreSQL 12 to 18, Aurora and RDS included.
"""

from __future__ import annotations

__all__ = ["FUNCTIONS", "GRANTS", "ROLES", "SCHEMAS", "SEQUENCES", "TABLES", "VIEWS", "VOLATILE"]

_USERS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_NO_EXTENSION = """NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend e
    WHERE e.objid = {0}.oid AND e.classid = 'pg_catalog.{1}'::regclass AND e.deptype = 'e')"""

_COLUMNS = """
SELECT json_agg(json_build_object(
    'name', a.attname, 'number', a.attnum, 'type', format_type(a.atttypid, a.atttypmod),
    'base', b.base, 'category', b.typcategory, 'kind', b.typtype,
    'not_null', a.attnotnull OR b.not_null, 'identity', a.attidentity,
    'generated', a.attgenerated <> '', 'checks', b.checks,
    'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(f.adbin, f.adrelid) END)
    ORDER BY a.attnum)
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
CROSS JOIN LATERAL (
    WITH RECURSIVE chain AS (
        SELECT t.oid, t.typtype, t.typbasetype, t.typnotnull, t.typcategory,
            a.atttypmod AS typmod, t.typtypmod, 1 AS depth
        FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype, t.typnotnull, t.typcategory,
            chain.typtypmod, t.typtypmod, depth + 1
        FROM chain JOIN pg_catalog.pg_type t ON t.oid = chain.typbasetype
        WHERE chain.typtype = 'd')
    SELECT (array_agg(format_type(oid, typmod) ORDER BY depth DESC))[1] AS base,
        (array_agg(typcategory ORDER BY depth DESC))[1] AS typcategory,
        (array_agg(typtype ORDER BY depth DESC))[1] AS typtype,
        bool_or(typnotnull) AS not_null,
        (SELECT json_agg(pg_get_constraintdef(k.oid)) FROM pg_catalog.pg_constraint k
         WHERE k.contypid IN (SELECT oid FROM chain WHERE typtype = 'd') AND k.contype = 'c')
            AS checks
    FROM chain) b
WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"""

_POLICIES = """
SELECT json_agg(json_build_object(
    'name', p.polname, 'command', p.polcmd, 'permissive', p.polpermissive,
    'roles', (SELECT json_agg(coalesce(r.rolname, '') ORDER BY r.rolname)
              FROM unnest(p.polroles) u(oid) LEFT JOIN pg_catalog.pg_roles r USING (oid)),
    'using', pg_get_expr(p.polqual, p.polrelid),
    'with_check', pg_get_expr(p.polwithcheck, p.polrelid)) ORDER BY p.polname)
FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid"""

_INDEXES = """
SELECT json_agg(json_build_object(
    'name', ic.relname, 'unique', i.indisunique, 'primary', i.indisprimary,
    'valid', i.indisvalid, 'partial', i.indpred IS NOT NULL,
    'constraint', (SELECT k.conname FROM pg_catalog.pg_constraint k
                   WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u')),
    'distinct', pg_get_indexdef(i.indexrelid) ~ 'NULLS NOT DISTINCT',
    'columns', (SELECT json_agg(a.attname ORDER BY g.n)
                FROM generate_series(0, i.indnkeyatts - 1) g(n)
                LEFT JOIN pg_catalog.pg_attribute a
                    ON a.attrelid = i.indrelid AND a.attnum = i.indkey[g.n]),
    'expressions', pg_get_expr(i.indexprs, i.indrelid)) ORDER BY ic.relname)
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
WHERE i.indrelid = c.oid"""

_NAMES = """(SELECT json_agg(a.attname ORDER BY u.n)
     FROM unnest({1}) WITH ORDINALITY u(num, n)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = {0} AND a.attnum = u.num)"""

_FOREIGN_KEYS = f"""
SELECT json_agg(json_build_object(
    'name', k.conname, 'parent', k.confrelid::bigint, 'deferrable', k.condeferrable,
    'columns', {_NAMES.format("k.conrelid", "k.conkey")},
    'parent_columns', {_NAMES.format("k.confrelid", "k.confkey")},
    'definition', pg_get_constraintdef(k.oid)) ORDER BY k.conname)
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0"""

_CHECKS = """
SELECT json_agg(json_build_object(
    'name', k.conname, 'columns', k.conkey, 'valid', k.convalidated,
    'expression', pg_get_expr(k.conbin, k.conrelid)) ORDER BY k.conname)
FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'"""

TABLES = f"""
SELECT c.oid::bigint AS key, json_build_object(
    'schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
    'owner', pg_get_userbyid(c.relowner), 'rls', c.relrowsecurity,
    'forced', c.relforcerowsecurity, 'is_partition', c.relispartition,
    'parents', (SELECT json_agg(h.inhparent::bigint) FROM pg_catalog.pg_inherits h
                WHERE h.inhrelid = c.oid),
    'columns', ({_COLUMNS}), 'policies', ({_POLICIES}), 'indexes', ({_INDEXES}),
    'foreign_keys', ({_FOREIGN_KEYS}), 'checks', ({_CHECKS}))::text AS document
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND {_USERS}
    AND {_NO_EXTENSION.format("c", "pg_class")}"""

VIEWS = f"""
SELECT c.oid::bigint AS key, json_build_object(
    'schema', n.nspname, 'name', c.relname, 'materialised', c.relkind = 'm',
    'owner', pg_get_userbyid(c.relowner),
    'invoker', EXISTS (
        SELECT FROM pg_options_to_table(c.reloptions) o
        WHERE o.option_name = 'security_invoker' AND o.option_value::boolean),
    'reads', (SELECT json_agg(DISTINCT d.refobjid::bigint)
              FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d
                  ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
              WHERE w.ev_class = c.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
                  AND d.refobjid <> c.oid))::text AS document
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND {_USERS}
    AND {_NO_EXTENSION.format("c", "pg_class")}"""

FUNCTIONS = f"""
SELECT p.oid::bigint AS key, json_build_object(
    'schema', n.nspname, 'name', p.proname, 'arguments', pg_get_function_identity_arguments(p.oid),
    'types', (SELECT json_agg(format_type(u.oid, NULL) ORDER BY u.n)
              FROM unnest(p.proargtypes) WITH ORDINALITY u(oid, n)
              WHERE u.n <= p.pronargs - p.pronargdefaults AND
                  NOT (p.provariadic <> 0 AND u.n = p.pronargs)),
    'owner', pg_get_userbyid(p.proowner), 'definer', p.prosecdef,
    'volatility', p.provolatile, 'kind', p.prokind, 'language', l.lanname,
    'returns', format_type(p.prorettype, NULL), 'returns_set', p.proretset,
    'source', left(pg_get_functiondef(p.oid), 20000),
    'search_path', EXISTS (SELECT FROM unnest(p.proconfig) s(line) WHERE line ~ '^search_path='),
    'grantees', (SELECT json_agg(DISTINCT coalesce(r.rolname, ''))
                 FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
                 LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee))::text AS document
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.prokind IN ('f', 'p') AND {_USERS} AND {_NO_EXTENSION.format("p", "pg_proc")}"""

SEQUENCES = f"""
SELECT c.oid::bigint AS key, json_build_object(
    'schema', n.nspname, 'name', c.relname, 'owner', pg_get_userbyid(c.relowner),
    'table', (SELECT max(d.refobjid::bigint) FROM pg_catalog.pg_depend d
              WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                  AND d.refclassid = 'pg_catalog.pg_class'::regclass
                  AND d.deptype IN ('a', 'i')))::text AS document
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND {_USERS}
    AND {_NO_EXTENSION.format("c", "pg_class")}"""

GRANTS = f"""
SELECT c.oid::bigint AS key, (SELECT json_agg(json_build_array(given.role, given.privilege,
        given.name) ORDER BY 1)
    FROM (SELECT coalesce(r.rolname, '') AS role, g.privilege_type AS privilege, '' AS name
          FROM aclexplode(coalesce(c.relacl, acldefault(
              CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner))) g
          LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
          UNION
          SELECT coalesce(r.rolname, ''), g.privilege_type, a.attname::text
          FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) g
          LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
          WHERE a.attrelid = c.oid AND NOT a.attisdropped) given)::text AS document
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't' AND {_USERS}"""

SCHEMAS = f"""
SELECT n.oid::bigint AS key, json_build_object('name', n.nspname, 'users', (
    SELECT json_agg(DISTINCT coalesce(r.rolname, ''))
    FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) g
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
    WHERE g.privilege_type = 'USAGE'))::text AS document
FROM pg_catalog.pg_namespace n WHERE {_USERS}"""

ROLES = """
SELECT r.oid::bigint AS key, json_build_object(
    'name', r.rolname, 'superuser', r.rolsuper, 'bypass', r.rolbypassrls, 'login', r.rolcanlogin,
    'bootstrap', r.oid = 10, 'member_of', (
        SELECT json_agg(g.rolname) FROM pg_catalog.pg_auth_members m
        JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid))::text AS document
FROM pg_catalog.pg_roles r"""

VOLATILE = """
SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.provolatile = 'v' AND p.proname = ANY (string_to_array(CAST(:names AS text), ','))
    AND (n.nspname = 'pg_catalog' OR EXISTS (
        SELECT FROM pg_catalog.pg_depend e WHERE e.objid = p.oid
            AND e.classid = 'pg_catalog.pg_proc'::regclass AND e.deptype = 'e'))"""
