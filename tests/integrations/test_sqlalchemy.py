"""SQLAlchemy: each transaction is its tenant's, over the Data API and over psycopg alike."""

import asyncio

import psycopg
import pytest
import sqlalchemy as sa
import sqlalchemy_aurora_data_api
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import create_async_engine

import tenantmetrics
from tenantmetrics import tenant
from tenantmetrics.errors import ConfigError, RlsError
from tenantmetrics.integrations.sqlalchemy import set_tenant_at_begin
from tenantmetrics.rls import Context, Rules

SCHEMA = """
CREATE TABLE b (id serial PRIMARY KEY, tenant_id text NOT NULL, note text);
INSERT INTO b (tenant_id, note) VALUES ('acme', 'a1'), ('acme', 'a2'), ('globex', 'g1');
ALTER TABLE b ENABLE ROW LEVEL SECURITY;
ALTER TABLE b FORCE ROW LEVEL SECURITY;
CREATE POLICY isolated ON b
    USING (tenant_id = (SELECT current_setting('app.current_tenant_id', true)))
    WITH CHECK (tenant_id = (SELECT current_setting('app.current_tenant_id', true)));
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
"""
SETTING = sa.text("SELECT coalesce(current_setting('app.current_tenant_id', true), '')")
DRIVERS = ("auroradataapi", "psycopg")


class Base(orm.DeclarativeBase):
    pass


class Booking(Base):
    __tablename__ = "b"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    tenant_id: orm.Mapped[str]
    note: orm.Mapped[str]


@pytest.fixture
def make_engine(data_api):
    """Makes an engine of a driver as the application's role, with one connection."""
    with psycopg.connect(data_api.psycopg_url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    engines = []

    def make(driver, create=sa.create_engine, role="app", **settings):
        if driver == "auroradataapi":
            sqlalchemy_aurora_data_api.register_dialects()
            arguments = {
                "aurora_cluster_arn": data_api.endpoint.resource_arn,
                "secret_arn": data_api.endpoint.secret_arns.get(role, data_api.endpoint.secret_arn),
                "rds_data_client": data_api.client,
            }
            url = f"postgresql+auroradataapi://:@/{data_api.database}"
        else:
            arguments = psycopg.conninfo.conninfo_to_dict(
                data_api.psycopg_url, options=f"-c role={role}"
            )
            url = "postgresql+psycopg://"
        # Whoever gets the connection next gets this one.
        pool = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 5}
        engines.append(create(url, connect_args=arguments, **pool, **settings))
        return engines[-1]

    yield make
    for engine in engines:
        if isinstance(engine, sa.Engine):
            engine.dispose()


@pytest.fixture(params=DRIVERS)
def engine(request, make_engine):
    engine = make_engine(request.param)
    set_tenant_at_begin(engine)
    return engine


def notes(engine):
    with orm.Session(engine) as session:
        return session.scalars(sa.select(Booking.note).order_by(Booking.note)).all()


def test_rows_are_the_tenants_without_a_condition(engine):
    """Of the core and of the ORM; one connection, one tenant after the other."""
    for name, found in (("acme", ["a1", "a2"]), ("globex", ["g1"]), ("acme", ["a1", "a2"])):
        with tenant(name):
            assert notes(engine) == found
            with engine.connect() as connection:
                assert connection.scalar(SETTING) == name
                connection.commit()
                assert connection.scalar(SETTING) == name  # a transaction of its own
                connection.rollback()
                with connection.begin():
                    connection.begin_nested().rollback()
                    assert connection.scalar(SETTING) == name


def test_rows_of_another_tenant_are_not_written(engine):
    """PostgreSQL says so."""
    with tenant("acme"):
        with orm.Session(engine) as session:
            session.add(Booking(tenant_id="acme", note="a3"))
            session.commit()
        with orm.Session(engine) as session:
            session.add(Booking(tenant_id="globex", note="g2"))
            with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
                session.commit()
        assert notes(engine) == ["a1", "a2", "a3"]
    with tenant("globex"):
        assert notes(engine) == ["g1"]


def test_without_a_tenant_no_transaction_is_begun(engine):
    """And the connection is given back."""
    for _ in range(3):
        with pytest.raises(RlsError, match="no tenant"):
            notes(engine)
        with pytest.raises(RlsError), engine.begin():
            pass
    with tenant("'; DROP TABLE b; --"), pytest.raises(RlsError, match="not allowed"):
        notes(engine)
    with tenant("acme"):
        assert notes(engine) == ["a1", "a2"]


def test_a_transaction_is_not_another_tenants(engine):
    """A session that outlives its block, or is shared between two."""
    with tenant("acme"):
        session = orm.Session(engine)
        assert session.scalar(SETTING) == "acme"
    with tenant("globex"):
        with pytest.raises(RlsError, match="begun for another tenant"):
            session.scalars(sa.select(Booking)).all()
        session.rollback()
        assert session.scalars(sa.select(Booking.note)).all() == ["g1"]
        session.close()


def test_nothing_stays_on_the_connection(make_engine):
    """For an engine that sets nothing, on the same connection."""
    for driver in DRIVERS:
        bare = make_engine(driver)
        isolated = bare.execution_options()
        set_tenant_at_begin(isolated)
        with tenant("acme"):
            assert notes(isolated) == ["a1", "a2"]
        with bare.connect() as connection:
            assert connection.scalar(SETTING) == ""
            assert connection.execute(sa.text("SELECT note FROM b")).all() == []


def test_what_others_left_on_a_connection_is_not_believed(make_engine):
    """After a commit too, when the next query begins a transaction of its own."""
    for driver in DRIVERS:
        bare = make_engine(driver)
        isolated = bare.execution_options()
        set_tenant_at_begin(isolated)
        with bare.begin() as connection:
            left = sa.text("SELECT set_config('app.current_tenant_id', 'globex', false)")
            connection.execute(left)
        with tenant("acme"), orm.Session(isolated) as session:
            booking = Booking(tenant_id="acme", note=driver)
            session.add(booking)
            session.commit()
            session.refresh(booking)
            assert booking.note == driver
            assert set(session.scalars(sa.select(Booking.tenant_id))) == {"acme"}
            session.delete(booking)
            session.commit()


def test_a_role_that_policies_do_not_bind_is_refused(make_engine):
    """A superuser would see every tenant's rows, and nobody would notice."""
    for driver in DRIVERS:
        engine = make_engine(driver, role="postgres")
        set_tenant_at_begin(engine)
        with tenant("acme"), pytest.raises(RlsError, match="superuser"):
            notes(engine)
        allowed = make_engine(driver, role="postgres")
        set_tenant_at_begin(allowed, bypass_allowed=True)
        with tenant("acme"):
            assert notes(allowed) == ["a1", "a2", "g1"]


def test_autocommit_is_refused(make_engine):
    """A setting that is local to a transaction would be gone before the next statement."""
    whole = make_engine("psycopg", isolation_level="AUTOCOMMIT")
    set_tenant_at_begin(whole)
    with tenant("acme"), pytest.raises(RlsError, match="AUTOCOMMIT"):
        notes(whole)
    single = make_engine("psycopg")
    set_tenant_at_begin(single)
    with tenant("acme"):
        with pytest.raises(RlsError, match="AUTOCOMMIT"):
            notes(single.execution_options(isolation_level="AUTOCOMMIT"))
        assert notes(single) == ["a1", "a2"]


def test_a_context_of_ones_own_says_whose_it_is(make_engine):
    """With a user and further variables."""
    engine = make_engine("psycopg")
    context = Context(tenant="globex", user="u1", variables={"app.user_role": "clerk"})
    set_tenant_at_begin(engine, context=lambda: context, rules=Rules(application_name=True))
    names = ("app.current_user_id", "app.user_role", "application_name")
    sql = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}"
    with engine.connect() as connection:
        assert connection.execute(sa.text(sql)).one() == ("u1", "clerk", "globex")
    assert notes(engine) == ["g1"]
    for wrong in (None, "postgresql://", sa.create_engine("sqlite://")):
        with pytest.raises(ConfigError):
            set_tenant_at_begin(wrong)


def test_async_engines_are_the_same(make_engine):
    """Two tenants' tasks on one pool."""
    engine = make_engine("psycopg", create=create_async_engine)
    set_tenant_at_begin(engine)

    async def rows(name):
        with tenant(name):
            async with engine.connect() as connection:
                return name, (await connection.execute(sa.text("SELECT tenant_id FROM b"))).all()

    async def main():
        try:
            return await asyncio.gather(*(rows(name) for name in ("acme", "globex") * 5))
        finally:
            await engine.dispose()

    for name, found in asyncio.run(main()):
        assert {owner for (owner,) in found} == {name}


def test_calls_over_the_data_api_are_metered_as_the_tenants(make_engine, data_api, fresh_pipeline):
    """BEGIN and COMMIT too."""
    engine = make_engine("auroradataapi")
    set_tenant_at_begin(engine)
    with tenant("acme"):
        notes(engine)  # the first connection asks for the server's version
        tenantmetrics.instrument(data_api.client)
        with orm.Session(engine) as session:
            session.add(Booking(tenant_id="acme", note="a3"))
            session.commit()
    tenantmetrics.flush(10)
    found = tenantmetrics.stats()
    assert (found["calls"], found["unattributed_calls"], found["misuses"]) == (4, 0, {})
