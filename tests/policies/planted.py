"""A schema that is right, and one fault for every rule."""

from __future__ import annotations

SETTING = "(SELECT current_setting('app.current_tenant_id', true))"


def isolated(table: str, *, role: str = "app") -> str:
    """Row-level security as it should be, and the application's privileges."""
    return f"""
    ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
    ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON {table} TO {role}
        USING (tenant_id = {SETTING}) WITH CHECK (tenant_id = {SETTING});
    GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role};
    """


def made(table: str, more: str = "", *, kind: str = "") -> str:
    """A table with the column and the index, isolated."""
    return f"""
    CREATE TABLE {table} (id bigint GENERATED ALWAYS AS IDENTITY, tenant_id text NOT NULL,
        note text {more}, PRIMARY KEY (tenant_id, id)) {kind};
    {isolated(table)}
    """


def policy(table: str, text: str) -> str:
    """An isolated table whose only policy is another."""
    return f"{made(table)} DROP POLICY tenant ON {table}; CREATE POLICY p ON {table} {text};"


ODD = '"Odd Schema"."Odd ""Table"""'

RIGHT = f"""
CREATE SCHEMA "Odd Schema";
GRANT USAGE ON SCHEMA "Odd Schema" TO app;
CREATE TABLE countries (code text PRIMARY KEY, name text UNIQUE);
GRANT SELECT ON countries TO app;
CREATE TABLE tenants (id text PRIMARY KEY, name text UNIQUE);
CREATE TABLE right_one (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants, country text REFERENCES countries,
    email text, token uuid UNIQUE DEFAULT gen_random_uuid(),
    UNIQUE (tenant_id, id), UNIQUE (email, tenant_id));
{isolated("right_one")}
CREATE TABLE right_child (tenant_id varchar(40) NOT NULL, id int, parent bigint,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent) REFERENCES right_one (tenant_id, id));
{isolated("right_child")}
CREATE TABLE right_uuid (id serial PRIMARY KEY, tenant_id uuid NOT NULL);
CREATE INDEX ON right_uuid (tenant_id);
ALTER TABLE right_uuid ENABLE ROW LEVEL SECURITY;
ALTER TABLE right_uuid FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON right_uuid TO app
    USING (tenant_id = (SELECT NULLIF(current_setting('app.current_tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id =
        (SELECT NULLIF(current_setting('app.current_tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON right_uuid TO app;
GRANT USAGE ON SEQUENCE right_uuid_id_seq TO app;
{made(ODD)}
CREATE TABLE right_parts (tenant_id text NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE INDEX ON right_parts (tenant_id);
CREATE TABLE right_parts_1 PARTITION OF right_parts
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
{isolated("right_parts")}
{made("right_parent")}
CREATE TABLE right_heir (more text) INHERITS (right_parent);
CREATE INDEX ON right_heir (tenant_id);
CREATE TABLE right_floor (tenant_id text NOT NULL, note text);
CREATE INDEX ON right_floor (tenant_id);
{isolated("right_floor")}
DROP POLICY tenant ON right_floor;
CREATE POLICY anything ON right_floor TO app USING (true) WITH CHECK (true);
CREATE POLICY floor ON right_floor AS RESTRICTIVE USING (tenant_id = {SETTING})
    WITH CHECK (tenant_id = {SETTING});
CREATE TABLE right_commands (tenant_id text NOT NULL, note text);
CREATE INDEX ON right_commands (tenant_id);
{isolated("right_commands")}
DROP POLICY tenant ON right_commands;
CREATE POLICY r ON right_commands FOR SELECT TO app USING (tenant_id = {SETTING});
CREATE POLICY a ON right_commands FOR INSERT TO app WITH CHECK (tenant_id = {SETTING});
CREATE POLICY w ON right_commands FOR UPDATE TO app USING (tenant_id = {SETTING})
    WITH CHECK (tenant_id = {SETTING});
CREATE POLICY d ON right_commands FOR DELETE TO app USING (tenant_id = {SETTING});
CREATE TABLE right_member (tenant_id text NOT NULL, owner_id text NOT NULL);
CREATE INDEX ON right_member (tenant_id);
{isolated("right_member")}
CREATE POLICY floor ON right_member AS RESTRICTIVE USING (owner_id =
    (SELECT current_setting('app.current_user_id', true)));
CREATE TABLE right_lines (booking bigint NOT NULL REFERENCES right_one, note text);
ALTER TABLE right_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE right_lines FORCE ROW LEVEL SECURITY;
CREATE POLICY parent ON right_lines TO app
    USING (EXISTS (SELECT FROM right_one p WHERE p.id = booking))
    WITH CHECK (EXISTS (SELECT FROM right_one p WHERE p.id = booking));
GRANT SELECT, INSERT ON right_lines TO app;
CREATE VIEW right_view WITH (security_invoker = true) AS SELECT * FROM right_one;
GRANT SELECT ON right_view TO app;
CREATE VIEW right_countries AS SELECT * FROM countries;
GRANT SELECT ON right_countries TO app;
CREATE MATERIALIZED VIEW right_totals AS SELECT tenant_id, count(*) FROM right_one GROUP BY 1;
CREATE FUNCTION right_definer() RETURNS int LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS 'SELECT 1';
CREATE FUNCTION right_invoker() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM right_one';
"""

PLANTED: dict[str, tuple[str, str]] = {
    "RLS001": ("public.f_off", made("f_off") + "ALTER TABLE f_off DISABLE ROW LEVEL SECURITY;"),
    "RLS002": (
        "public.f_owner",
        made("f_owner") + "ALTER TABLE f_owner NO FORCE ROW LEVEL SECURITY;",
    ),
    "RLS003": ("public.f_none", made("f_none") + "DROP POLICY tenant ON f_none;"),
    "RLS004": (
        "public.f_part_1",
        f"""CREATE TABLE f_part (tenant_id text NOT NULL, n int) PARTITION BY LIST (n);
        CREATE INDEX ON f_part (tenant_id);
        CREATE TABLE f_part_1 PARTITION OF f_part FOR VALUES IN (1);
        {isolated("f_part")} GRANT SELECT ON f_part_1 TO app;""",
    ),
    "RLS005": (
        "public.f_heir",
        made("f_parent") + "CREATE TABLE f_heir () INHERITS (f_parent); GRANT SELECT ON f_heir"
        " TO app; CREATE INDEX ON f_heir (tenant_id);",
    ),
    "RLS006": (
        "public.f_null",
        f"""CREATE TABLE f_null (tenant_id text); CREATE INDEX ON f_null (tenant_id);
        {isolated("f_null")}""",
    ),
    "RLS007": (
        "public.f_index",
        f"""CREATE TABLE f_index (id int PRIMARY KEY, tenant_id text NOT NULL);
        CREATE INDEX ON f_index (id, tenant_id);
        CREATE INDEX ON f_index (tenant_id) WHERE id > 5; {isolated("f_index")}""",
    ),
    "RLS008": (
        "public.f_foreign",
        """CREATE FOREIGN DATA WRAPPER f_nothing;
        CREATE SERVER f_there FOREIGN DATA WRAPPER f_nothing;
        CREATE FOREIGN TABLE f_foreign (tenant_id text NOT NULL) SERVER f_there;
        GRANT SELECT ON f_foreign TO app;""",
    ),
    "RLS009": (
        "public.f_lines",
        """CREATE TABLE f_lines (booking bigint NOT NULL REFERENCES right_one, note text);
        GRANT SELECT, INSERT ON f_lines TO app;""",
    ),
    "RLS010": (
        "policy p on public.f_true",
        policy(
            "f_true", f"USING (tenant_id = {SETTING} OR 1 = 1) WITH CHECK (tenant_id = {SETTING})"
        ),
    ),
    "RLS011": (
        "policy p on public.f_or",
        policy(
            "f_or",
            f"""USING (tenant_id = {SETTING} OR
                (SELECT current_setting('app.is_admin', true)) = 'y')
            WITH CHECK (tenant_id = {SETTING})""",
        ),
    ),
    "RLS012": (
        "policy p on public.f_unbound",
        policy("f_unbound", f"USING (tenant_id = {SETTING}) WITH CHECK (note IS NOT NULL)"),
    ),
    "RLS013": ("policy p on public.f_check", policy("f_check", f"USING (tenant_id = {SETTING})")),
    "RLS014": (
        "policy p on public.f_volatile",
        "CREATE FUNCTION f_now() RETURNS text LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';"
        + policy(
            "f_volatile",
            f"""USING (tenant_id = {SETTING} AND f_now() = '1')
            WITH CHECK (tenant_id = {SETTING})""",
        ),
    ),
    "RLS015": (
        "policy p on public.f_immutable",
        """CREATE FUNCTION f_me() RETURNS text LANGUAGE sql IMMUTABLE AS
            $$SELECT current_setting('app.current_tenant_id', true)$$;"""
        + policy(
            "f_immutable",
            "USING (tenant_id = (SELECT f_me())) WITH CHECK (tenant_id = (SELECT f_me()))",
        ),
    ),
    "RLS016": (
        "policy p on public.f_raises",
        policy(
            "f_raises",
            f"""USING (tenant_id = (SELECT current_setting('app.current_tenant_id')))
            WITH CHECK (tenant_id = {SETTING})""",
        ),
    ),
    "RLS017": (
        "policy p on public.f_rows",
        policy(
            "f_rows",
            f"""USING (tenant_id = current_setting('app.current_tenant_id', true))
            WITH CHECK (tenant_id = {SETTING})""",
        ),
    ),
    "RLS018": (
        "policy p on public.f_wrapped",
        policy(
            "f_wrapped", f"USING (lower(tenant_id) = {SETTING}) WITH CHECK (tenant_id = {SETTING})"
        ),
    ),
    "RLS019": (
        "policy p on public.f_role",
        policy("f_role", f"USING (tenant_id = current_user) WITH CHECK (tenant_id = {SETTING})"),
    ),
    "RLS020": (
        "unique key f_email_key on public.f_unique",
        made("f_unique", ", email text CONSTRAINT f_email_key UNIQUE"),
    ),
    "RLS021": (
        "foreign key f_across on public.f_key",
        made(
            "f_key", ", one bigint CONSTRAINT f_across REFERENCES right_one (id) ON DELETE CASCADE"
        ),
    ),
    "RLS023": ("role f_batch", "CREATE ROLE f_batch BYPASSRLS;"),
    "RLS024": (
        "role app",
        "CREATE ROLE f_owners NOLOGIN; GRANT f_owners TO app;"
        + made("f_owned")
        + "ALTER TABLE f_owned OWNER TO f_owners;",
    ),
    "RLS025": ("public.f_truncate", made("f_truncate") + "GRANT TRUNCATE ON f_truncate TO app;"),
    "RLS026": (
        "public.f_view",
        "CREATE VIEW f_view AS SELECT * FROM right_one; GRANT SELECT ON f_view TO app;",
    ),
    "RLS027": (
        "public.f_totals",
        """CREATE MATERIALIZED VIEW f_totals AS SELECT tenant_id, count(*) FROM right_one
        GROUP BY 1; GRANT SELECT ON f_totals TO app;""",
    ),
    "RLS028": (
        "function public.f_all()",
        """CREATE FUNCTION f_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER
        SET search_path = public, pg_temp AS 'SELECT count(*) FROM right_one';""",
    ),
    "RLS029": (
        "function public.f_path()",
        "CREATE FUNCTION f_path() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",
    ),
    "RLS030": (
        "sequence public.f_serial_number_seq",
        made("f_serial", ", number serial") + "GRANT USAGE, UPDATE ON f_serial_number_seq TO app;",
    ),
}
"""Rule → the object that it finds, and SQL that plants it beside `RIGHT`."""
