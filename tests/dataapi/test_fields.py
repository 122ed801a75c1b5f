"""Python values on their way to PostgreSQL and back."""

import math
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantmetrics.dataapi.fields import python_value, sql_parameter, sql_parameters
from tenantmetrics.dataapi.responses import rows_of

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.binary(max_size=50)
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(VALUES, min_size=1, max_size=8))
def test_values_go_through_postgresql_unchanged(data_api, values):
    """Each type that JSON or the API has a member for, NULL included."""
    named = {f"p{index}": value for index, value in enumerate(values)}
    response = data_api.client.execute_statement(
        **data_api.arguments,
        sql=f"SELECT {', '.join(f':{name}' for name in named)}",
        parameters=sql_parameters(named),
    )
    assert rows_of(response) == [values]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Decimal("1E+3"), "numeric", "1000"),
        (Decimal("-0.10"), "numeric", "-0.10"),
        (date(2026, 1, 2), "date", "2026-01-02"),
        (time(3, 4, 5, 600_000), "time", "03:04:05.6"),
        (datetime.fromisoformat("2026-01-02T03:04:05"), "timestamp", "2026-01-02 03:04:05"),
        (datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))), "timestamp",
         "2026-01-01 23:00:00"),
        (datetime(2026, 1, 2, 1, tzinfo=UTC), "timestamp", "2026-01-02 01:00:00"),
        (uuid.UUID(int=5), "uuid", "00000000-0000-0000-0000-000000000005"),
    ],
)  # fmt: skip
def test_a_type_hint_makes_it_the_type_that_postgresql_compares(data_api, value, kind, expected):
    """`pg_typeof` says which type arrived."""
    response = data_api.client.execute_statement(
        **data_api.arguments,
        sql="SELECT pg_typeof(:v)::text, :v::text",
        parameters=sql_parameters({"v": value}),
    )
    arrived, text = rows_of(response)[0]
    assert arrived.startswith(kind)
    assert text.rstrip("0") == expected.rstrip("0")


@pytest.mark.parametrize("value", [[1], (), {"a": 1}, object(), time(1, tzinfo=UTC)])
def test_a_value_without_a_field_is_refused_by_name(value):
    """Before anything is sent."""
    with pytest.raises(TypeError, match="'wrong'"):
        sql_parameter("wrong", value)


def test_an_integer_past_64_bits_is_refused_by_name():
    """PostgreSQL's largest integer is the API's."""
    assert sql_parameter("n", 2**63 - 1)
    with pytest.raises(ValueError, match="parameter 'n': an integer must fit"):
        sql_parameter("n", 2**63)


def test_arrays_are_lists_and_nested_arrays_nested_lists():
    """As the API nests them."""
    inner = [{"longValues": [1, None]}, {"longValues": [2]}]
    assert python_value({"arrayValue": {"arrayValues": inner}}) == [[1, None], [2]]
    assert python_value({"arrayValue": {}}) == []
    assert python_value({"isNull": True}) is python_value({}) is None
    assert math.isclose(python_value({"doubleValue": 0.5}), 0.5)
