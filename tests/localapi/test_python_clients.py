"""Python clients from PyPI, unmodified: aurora-data-api, sqlalchemy-aurora-data-api, boto3."""

import datetime as dt
import decimal
import uuid

import aurora_data_api
import pytest
import sqlalchemy as sa
import sqlalchemy_aurora_data_api
from aurora_data_api.exceptions import DatabaseError
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql


@pytest.fixture
def connect(data_api):
    def connect():
        return aurora_data_api.connect(
            aurora_cluster_arn=data_api.endpoint.resource_arn,
            secret_arn=data_api.endpoint.secret_arn,
            rds_data_client=data_api.client,
            database=data_api.database,
        )

    return connect


def test_aurora_data_api_connects_and_fetches(connect):
    """Description, rows, iteration and rowcount of the DB-API."""
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n, 'row ' || n AS name FROM generate_series(1, :n) n", {"n": 3})
        assert [column.name for column in cursor.description] == ["n", "name"]
        assert cursor.rowcount == 3
        assert cursor.fetchone() == (1, "row 1")
        assert cursor.fetchmany(1) == [(2, "row 2")]
        assert cursor.fetchall() == [(3, "row 3")]


def test_aurora_data_api_takes_every_type_both_ways(connect):
    """What Python puts in is what Python gets out."""
    values = {
        "i": 2**62,
        "f": 0.1,
        "b": True,
        "s": "it's : $1 é",
        "d": decimal.Decimal("12.340"),
        "day": dt.date(2024, 2, 29),
        "clock": dt.time(12, 30, 1, 500000),
        "moment": dt.datetime(2024, 2, 29, 12, 30, 1, 120000),  # noqa: DTZ001 - naive
        "raw": b"\x00\xff",
        "nothing": None,
    }
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (i bigint, f float8, b bool, s text, d numeric, day date, clock time,"
            " moment timestamp, raw bytea, nothing int)",
        )
        names = ", ".join(f":{name}" for name in values)
        cursor.execute(f"INSERT INTO t VALUES ({names})", values)
        cursor.execute("SELECT * FROM t")
        assert cursor.fetchall() == [tuple(values.values())]


def test_aurora_data_api_executes_many(connect):
    """Over a thousand rows: two batches in one transaction."""
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int, name text)")
        rows = [{"id": n, "name": f"row {n}"} for n in range(2048)]
        cursor.executemany("INSERT INTO t VALUES (:id, :name)", rows)
        cursor.execute("SELECT count(*), sum(id), count(DISTINCT name) FROM t")
        assert cursor.fetchall() == [(2048, 2048 * 2047 // 2, 2048)]


def test_aurora_data_api_commits_and_rolls_back(connect):
    """Leaving the block commits; rollback forgets."""
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int)")
    connection = connect()
    connection.cursor().execute("INSERT INTO t VALUES (1)")
    connection.rollback()
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM t")
        assert cursor.fetchone() == (0,)


def test_aurora_data_api_raises_by_sqlstate(connect):
    """It reads the SQLSTATE from the end of the message."""
    with connect() as connection:
        with connection.cursor() as cursor:
            with pytest.raises(DatabaseError, match="SQLState: 42P01") as caught:
                cursor.execute("SELECT * FROM nowhere")
            assert caught.value.response["Error"]["Code"] == "DatabaseErrorException"
        connection.rollback()


class Base(orm.DeclarativeBase):
    pass


class Booking(Base):
    __tablename__ = "bookings"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    # The types that the client's dialect casts are PostgreSQL's own.
    key: orm.Mapped[uuid.UUID] = orm.mapped_column(postgresql.UUID(as_uuid=True))
    details: orm.Mapped[dict] = orm.mapped_column(postgresql.JSONB)
    price: orm.Mapped[decimal.Decimal] = orm.mapped_column(sa.Numeric(12, 3))
    at: orm.Mapped[dt.datetime] = orm.mapped_column(sa.TIMESTAMP(timezone=True))
    tags: orm.Mapped[list[str]] = orm.mapped_column(postgresql.ARRAY(sa.Text))
    guests: orm.Mapped[list["Guest"]] = orm.relationship(back_populates="booking")


class Guest(Base):
    __tablename__ = "guests"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    booking_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("bookings.id"))
    booking: orm.Mapped[Booking] = orm.relationship(back_populates="guests")


@pytest.fixture
def engine(data_api):
    sqlalchemy_aurora_data_api.register_dialects()
    engine = sa.create_engine(
        f"postgresql+auroradataapi://:@/{data_api.database}",
        connect_args={
            "aurora_cluster_arn": data_api.endpoint.resource_arn,
            "secret_arn": data_api.endpoint.secret_arn,
            "rds_data_client": data_api.client,
        },
    )
    yield engine
    engine.dispose()


def test_sqlalchemy_orm_round_trip(engine):
    """A small model with JSONB, UUID, NUMERIC, TIMESTAMPTZ and an array, written and read back."""
    Base.metadata.create_all(engine)
    key = uuid.uuid4()
    moment = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)
    with orm.Session(engine) as session:
        session.add(
            Booking(
                key=key,
                details={"room": 7, "notes": ["late", None]},
                price=decimal.Decimal("120.500"),
                at=moment,
                tags=["vip", "it's"],
                guests=[Guest(name="Ada"), Guest(name="Grace")],
            ),
        )
        session.commit()
    with orm.Session(engine) as session:
        booking = session.scalars(sa.select(Booking).where(Booking.key == key)).one()
        assert booking.details == {"room": 7, "notes": ["late", None]}
        assert booking.price == decimal.Decimal("120.500")
        # The client's dialect knows no time zones; the Data API's timestamptz are UTC.
        assert booking.at.replace(tzinfo=dt.UTC) == moment
        assert booking.tags == ["vip", "it's"]
        assert sorted(guest.name for guest in booking.guests) == ["Ada", "Grace"]
        booking.price += 1
        session.delete(booking.guests[0])
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Guest)) == 1
        assert session.scalar(sa.select(Booking.price)) == decimal.Decimal("121.500")


def test_sqlalchemy_sees_tables(engine, data_api):
    """Its catalogue query for names works; that for columns selects "char", refused as on AWS."""
    Base.metadata.create_all(engine)
    inspector = sa.inspect(engine)
    assert set(inspector.get_table_names()) == {"bookings", "guests"}
    assert inspector.has_table("guests")
    refused = data_api.client.exceptions.UnsupportedResultException
    with pytest.raises(refused, match=r"unsupported data type .CHAR."):
        inspector.get_columns("guests")


def test_sqlalchemy_executes_many(engine):
    """A thousand rows through executemany."""
    Base.metadata.create_all(engine)
    notes = sa.table("notes", sa.column("id"), sa.column("body"))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE notes (id int, body text)"))
        rows = [{"id": n, "body": f"note {n}"} for n in range(1000)]
        connection.execute(notes.insert(), rows)
        counted = connection.execute(sa.text("SELECT count(*), sum(id) FROM notes")).one()
    assert tuple(counted) == (1000, 499500)


def test_sqlalchemy_errors_keep_the_sqlstate(engine):
    """What the DB-API raised is inside, and the connection can be used again."""
    with engine.connect() as connection:
        with pytest.raises(sa.exc.DatabaseError, match="SQLState: 42P01"):
            connection.execute(sa.text("SELECT * FROM nowhere"))
        connection.rollback()
        assert connection.scalar(sa.text("SELECT 1")) == 1
