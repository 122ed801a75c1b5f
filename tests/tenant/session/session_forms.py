"""Forms of statements that set a session up, begin and end its transactions, or fail."""

from __future__ import annotations

__all__ = [
    "BEGINS", "FORMS", "KINDS", "LOCALS", "NAMES", "OF_PREPARED",
    "POINTS", "PREPARED", "QUOTED", "TEXTS", "VALUES",
]  # fmt: skip


def _forms(lines: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in lines.strip().splitlines())


NAMES = (
    *("app.tenant", "app.tenant", "app.tenant", '"app".tenant', "APP.Tenant", '"app"."tenant"'),
    *("tenant.id", "TENANT.ID", "app.other", "app.tenant_id", "statement_timeout"),
)
QUOTED = ("'app.tenant'", "'app.tenant'", "'App.Tenant'", "'tenant.id'", "'app.other'", "'role'")
VALUES = (
    *("'acme'", "'bee'", "'cat'", "acme", '"Bee"', "Cat", "E'ac\\x6de'", "U&'b\\0065e'"),
    *("''", "DEFAULT", "'7.50'", "7.50", "7", "007", "-7", "- 7.50", "+7", "1e3", "1_000", "0x1F"),
    *("true", "on", "'no'\n'body'", "99999999999", "$$dee$$", "NULL", "0.10", "'A,B'", "a, b"),
    *("'A0EEBC999C0B4EF8BB6D6BB9BD380A11'", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"),
)
TEXTS = (
    *(
        "'acme'",
        "'bee'",
        "'cat'",
        "''",
        "NULL",
        "'acme'::text",
        "CAST('bee' AS text)",
        "'cat'::name",
    ),
    *("7::text", "'007'::int::text", "7.50::text", "'7.50'::numeric::text", "1::boolean::text"),
    *("'ac' || 'me'", "upper('bee')", "(SELECT 'cat')", "current_setting('app.other', true)"),
    *("'acme  '::char(6)::text", "'acmeeee'::varchar(4)", "E'b\\x65e'", "COALESCE(NULL, 'bee')"),
    *("NULLIF('acme', 'acme')", "NULLIF('acme', 'x')", "'t'::bool::text", "+7::text", "(-7)::text"),
    *("CASE WHEN 1 = 1 THEN 'acme' ELSE 'bee' END", "'1e1'::float8::text", "concat('b', 'ee')"),
    *("'A0EEBC999C0B4EF8BB6D6BB9BD380A11'::uuid::text", "'acme'::text COLLATE \"C\""),
    *("'acme'::bpchar", "'\"acme\"'::json #>> '{}'", "'acme'::text::varchar", "7.0::int::text"),
)
LOCALS = ("true", "true", "false", "false", "'t'::boolean", "NULL", "1 = 1", "NOT true", "'off'")
AROUND = _forms("""
    SELECT {c}
    SELECT {c}
    SELECT 1, {c} AS x
    SELECT * FROM {c}
    VALUES ({c})
    SELECT {c} WHERE false
    SELECT {c} WHERE true
    SELECT {c} WHERE 1 = 2
    TABLE held
    SELECT CASE WHEN 1 = 1 THEN {c} END
    SELECT CASE WHEN 1 = 2 THEN {c} ELSE 'x' END
    SELECT COALESCE('x', {c})
    SELECT COALESCE({c}, 'x')
    SELECT {c} || NULL
    SELECT {c} LIMIT 0
    SELECT {c} LIMIT 1
    SELECT {c} OFFSET 1
    SELECT length({c})
    SELECT 1 WHERE {c} = 'x'
    SELECT 1 WHERE false AND {c} = 'x'
    SELECT {c} FROM held
    SELECT {c} FROM nothing
    SELECT 1 FROM held WHERE {c} = 'x'
    SELECT count({c}) FROM held
    SELECT (SELECT {c})
    SELECT EXISTS (SELECT {c})
    SELECT ARRAY(SELECT {c})
    WITH s AS (SELECT {c}) SELECT 1
    WITH s AS (SELECT {c}) SELECT * FROM s
    WITH s AS MATERIALIZED (SELECT {c}) SELECT 1 FROM s
    SELECT 1 FROM (SELECT {c}) AS s
    SELECT {c} UNION ALL SELECT {d}
    SELECT {c} UNION SELECT {d}
    SELECT {c}, {d}
    SELECT {c} FROM {d} AS f
    SELECT (SELECT {c}), {d}
    SELECT {c}, (SELECT {d})
    SELECT {c} INTERSECT SELECT {d}
    SELECT {c} EXCEPT SELECT {d}
    SELECT {c} ORDER BY {d}
    SELECT * FROM (SELECT {c}) a, (SELECT {d}) b
    SELECT * FROM {c} a, LATERAL (SELECT {d}) b
    WITH s AS (SELECT {c} AS x) SELECT {d}, x FROM s
    SELECT NULLIF({c}, {d})
    INSERT INTO held VALUES ({c})
    INSERT INTO held SELECT {c}
    UPDATE held SET x = {c}
    INSERT INTO held SELECT 'x' RETURNING {c}
    DELETE FROM held RETURNING {c}
    SELECT {c} AND
    INSERT INTO nothing SELECT x FROM nothing RETURNING {c}
    DELETE FROM nothing RETURNING {c}
    EXPLAIN SELECT {c}
    EXPLAIN ANALYZE SELECT {c}
    EXPLAIN (ANALYZE false) SELECT {c}
    EXPLAIN (ANALYZE) SELECT {c}
    EXPLAIN (COSTS off, ANALYZE) SELECT {c}
    SELECT ({c})::text
    CREATE TEMP TABLE made_{n} AS SELECT {c}
    SELECT {c} INTO TEMP made_{n}
    SELECT {c}, 1/0
    CREATE TEMP TABLE made_{n} AS SELECT {c} WITH NO DATA
    COPY (SELECT {c}) TO '/dev/null'
    CREATE TEMP VIEW seen_{n} AS SELECT {c}
    SELECT {c}, generate_series(1, 0)
    SELECT generate_series(1, 2), {c}
    SELECT {c} FROM generate_series(1, 0)
    SELECT DISTINCT {c}
    SELECT {c} FROM generate_series(1, 2)
    SELECT {c} GROUP BY 1
    SELECT max({c})
    SELECT max({c}) FILTER (WHERE false)
    SELECT 'x' IN ({c})
    SELECT 'x' = ANY (ARRAY[{c}])
    SELECT true OR {c} = 'x'
    SELECT false AND {c} = 'x'
    SELECT NOT ({c} = 'x')
    SELECT {c} FROM (VALUES (1)) v
    SELECT {c} FROM (VALUES (1), (2)) v (i) WHERE i > 5
    SELECT row_number() OVER (ORDER BY {c})
    SELECT GREATEST({c}, {d})
    SELECT {c} HAVING false
    SELECT concat({c}, NULL)
    SELECT substr({c}, NULL)
    SELECT ({c}) IS NULL
    SELECT pg_catalog.{c}
    SELECT * FROM held LEFT JOIN {c} ON true
    SELECT * FROM nothing CROSS JOIN {c}
    SELECT lower({c})
    SELECT * FROM ROWS FROM ({c})
    SELECT * FROM held, {c} AS f
    SELECT 1 LIMIT length({c})
    SELECT 1 OFFSET length({c})
    SELECT 1 LIMIT 0 OFFSET length({c})
    SELECT 'x' LIKE {c}
    MERGE INTO held h USING (SELECT {c} AS x) s ON h.x = s.x WHEN MATCHED THEN DO NOTHING
    MERGE INTO held h USING held s ON false WHEN MATCHED THEN UPDATE SET x = {c}
    WITH i AS (INSERT INTO held VALUES ({c})) SELECT 1
    WITH i AS (SELECT {c}) DELETE FROM held
    WITH i AS (INSERT INTO held VALUES ({c}) RETURNING x) SELECT {d} FROM i
    SELECT NULL || ({c})
    WITH RECURSIVE r AS (SELECT {c} AS x UNION SELECT {d} FROM r) SELECT * FROM r
    SELECT {c} IS NOT NULL
    SELECT * FROM (SELECT {c} LIMIT 0) s
    SELECT 1 FROM (SELECT {c} AS x) s WHERE false
    SELECT CASE {c} WHEN 'x' THEN {d} END
    SELECT CASE WHEN {c} = 'x' THEN {d} ELSE 'y' END
    SELECT x FROM held ORDER BY {c}
    SELECT x FROM held ORDER BY {c} LIMIT 1
    SELECT {c} FOR UPDATE
    SELECT * FROM (SELECT 1 AS one, {c} AS x) s WHERE one = 2
    SELECT one FROM (SELECT 1 AS one, {c} AS x) s
    UPDATE pg_settings SET setting = 'tenant_1' WHERE name = 'search_path'
    SELECT format('%s', {c})
    WITH u AS (UPDATE pg_settings SET setting = 'tenant_2' WHERE name = 'search_path') SELECT 1
    CALL does_nothing({c})
    SELECT string_agg({c}, ',') FROM held
    SELECT ({c}, {d}) = ('a', 'b')
    SELECT * FROM held WHERE x = (SELECT {c})
    SELECT * FROM nothing WHERE x = (SELECT {c})
    SELECT 1 WHERE 'q' NOT IN (SELECT {c})
    SELECT ROW({c}, {d})
    SELECT json_build_object('a', {c})
    SELECT 1 FROM (SELECT {c} UNION ALL SELECT 'y') s LIMIT 1
    SELECT xmlelement(name a, {c})
""")
PREPARED = _forms("""
    SELECT {c}
    SELECT 1
    SELECT x FROM held WHERE {c} = 'x'
    SELECT $1::text
    SELECT set_config('app.tenant', $1, {l})
    INSERT INTO held VALUES ({c})
    SELECT x FROM held
""")
OF_PREPARED = _forms("""
    PREPARE {p} AS {q}
    PREPARE {p} (text) AS {q}
    EXECUTE {p}
    EXECUTE {p}('bee')
    EXECUTE {p}
    DEALLOCATE {p}
    DEALLOCATE ALL
    EXPLAIN ANALYZE EXECUTE {p}
    EXPLAIN EXECUTE {p}
    DECLARE {p} CURSOR FOR {q}
    DECLARE {p} CURSOR WITH HOLD FOR {q}
    FETCH {p}
    FETCH ALL FROM {p}
    MOVE {p}
    CLOSE {p}
    CLOSE ALL
    CREATE TEMP TABLE made_{n} AS EXECUTE {p}
""")
BLOCKS = _forms("""
    PERFORM {c};
    SET LOCAL app.tenant = {v};
    SET app.tenant TO {v};
    EXECUTE 'SET app.tenant = 7';
    NULL;
    PERFORM 1;
    RESET app.tenant;
    RESET ALL;
    SET ROLE tenant_1;
    SET LOCAL search_path = tenant_2;
    BEGIN PERFORM {c}; PERFORM 1/0; EXCEPTION WHEN OTHERS THEN NULL; END;
    SET/**/app.tenant = {v};
    EXECUTE 'RE' || 'SET ALL';
    PERFORM pg_catalog.{c};
    COMMIT;
    PERFORM {c}; COMMIT;
    ROLLBACK;
    PERFORM "set_config"('app.tenant', 'bee', false);
    SET search_path TO tenant_1;
    RESET ROLE;
    SET SESSION AUTHORIZATION tenant_2;
    IF false THEN PERFORM {c}; END IF;
    PERFORM 1/0;
    SET tenant.id = 8;
    UPDATE pg_settings SET setting = 'tenant_2' WHERE name = 'search_path';
    EXECUTE format('SET %I.tenant = 5', 'app');
""")
ENDS = _forms("""
    COMMIT
    COMMIT
    END
    COMMIT WORK
    COMMIT AND CHAIN
    COMMIT AND NO CHAIN
    ROLLBACK
    ROLLBACK
    ABORT
    ROLLBACK AND CHAIN
    ROLLBACK WORK AND CHAIN
    ROLLBACK TRANSACTION
    PREPARE TRANSACTION 'p{n}'
    END AND CHAIN
    ABORT AND CHAIN
""")
BEGINS = _forms("""
    BEGIN
    BEGIN
    BEGIN
    START TRANSACTION
    BEGIN ISOLATION LEVEL SERIALIZABLE
    BEGIN WORK
""")
POINTS = ("s", "s", "t", '"S"', "S", "u")
ROLES = _forms("""
    SET ROLE tenant_1
    SET LOCAL ROLE tenant_2
    SET ROLE NONE
    RESET ROLE
    SET ROLE 'tenant_2'
    SET SESSION AUTHORIZATION tenant_1
    SET SESSION AUTHORIZATION DEFAULT
    SET LOCAL ROLE NONE
    RESET SESSION AUTHORIZATION
    SET LOCAL SESSION AUTHORIZATION tenant_2
    SET ROLE app_user
    SET role = tenant_1
    SET role TO DEFAULT
    SET LOCAL role = 'none'
    SET session_authorization = tenant_2
    SELECT set_config('role', 'tenant_1', {l})
    SELECT set_config('session_authorization', 'tenant_2', {l})
    RESET session_authorization
    SET SESSION ROLE tenant_2
    SET SESSION SESSION AUTHORIZATION tenant_1
""")
PATHS = _forms("""
    SET search_path = tenant_1
    SET LOCAL search_path TO tenant_2, public
    RESET search_path
    SET SCHEMA 'tenant_1'
    SET search_path TO DEFAULT
    SET search_path = "tenant_2"
    SET LOCAL SCHEMA 'tenant_2'
    SET search_path = public
    SET search_path = 'tenant_1, public'
    SELECT set_config('search_path', 'tenant_1', {l})
    SET search_path = ''
    SET search_path = "$user", 'tenant_2'
    SET search_path FROM CURRENT
""")
OTHERS = _forms("""
    SHOW app.other
    SET CONSTRAINTS ALL IMMEDIATE
    SET TRANSACTION READ WRITE
    SELECT x FROM held
    SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
    SET TIME ZONE 'UTC'
    LISTEN a
    SELECT now()
    SET LOCAL TIME ZONE DEFAULT
    DISCARD PLANS
    DISCARD TEMP
    DISCARD SEQUENCES
    SET XML OPTION DOCUMENT
    SET NAMES 'UTF8'
    LOCK TABLE held
    SAVEPOINT s; RELEASE s
    COMMIT PREPARED 'p0'
    ROLLBACK PREPARED 'p1'
""")
FAILS = _forms("""
    SELECT 1/0
    SELECT nothing FROM nowhere
    SELECT 'a'::int
    SELEC 1
    SET app.tenant = 1/0
    SET statement_timeout = 'soon'
    SELECT set_config('statement_timeout', 'soon', false), {c}
    SELECT {c} FROM nowhere
    RELEASE nowhere
    ROLLBACK TO nowhere
    SET ROLE nobody_here
    RESET ALL; SELECT 1/0
    SET app.tenant = a, b
    EXECUTE nowhere
    FETCH nowhere
    VACUUM held
    SET app..tenant = 'x'
""")

FORMS = {
    "set": _forms("""
        SET {name} = {v}
        SET LOCAL {name} = {v}
        SET SESSION {name} TO {v}
        SET LOCAL {name} TO {v}
        RESET {name}
        RESET ALL
        SET {name} FROM CURRENT
        SET LOCAL {name} FROM CURRENT
        SET {name} TO {v}
        SET LOCAL {name} TO DEFAULT
        SET {name} TO DEFAULT
    """),
    "plain": _forms("""
        SET app.tenant = {v}
        SET LOCAL app.tenant = {v}
        SET app.tenant = 'acme'
        SET LOCAL app.tenant = 'bee'
        SET tenant.id = {v}
        SET LOCAL tenant.id = {v}
    """),
    "call": AROUND,
    "simple": ("SELECT {c}",),
    "block": tuple(f"DO $do$ BEGIN {block} END $do$" for block in BLOCKS),
    "end": ENDS,
    "role": ROLES,
    "path": PATHS,
    "other": OTHERS,
    "fail": FAILS,
    "discard": ("DISCARD ALL", "RESET ALL", "DISCARD ALL"),
}
KINDS = ("begin", "point", "prepare", "end", "begin", "point", *FORMS)
