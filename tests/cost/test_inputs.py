"""Small CSV inputs: strict, and every error says where."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tenantmetrics.cost.budgets import read_budgets
from tenantmetrics.cost.inputs import SHARE_UNITS, read_capacity, read_storage, read_tenants
from tenantmetrics.errors import ReportError


@pytest.fixture
def file(tmp_path):
    """Write a CSV file."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "in.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_facts_of_tenants_are_groups_revenue_and_shares(file):
    """Any further column is a group; empty cells say nothing; a byte order mark is no matter."""
    facts = read_tenants(
        file("tenant,plan,revenue,share\r\nacme,pro,120.50,0.25\r\nbee,,,\r\n", "utf-8-sig")
    )
    assert facts["acme"].groups == {"plan": "pro"}
    assert facts["acme"].revenue == Decimal("120.50")
    assert facts["acme"].share == SHARE_UNITS // 4
    assert (facts["bee"].revenue, facts["bee"].share) == (None, 0)


def test_columns_that_have_a_meaning_are_known_in_any_case(file):
    """A revenue that became a group would be missing from every margin."""
    facts = read_tenants(file("Tenant, Revenue ,Stripe Customer,Plan\nacme,7,cus_1,pro\n"))["acme"]
    assert (facts.revenue, facts.groups) == (7, {"Plan": "pro"})
    assert facts.customers == {"stripe_customer": "cus_1"}
    capacity = read_capacity(file("Hour,ACU,Utilization Percent\n1970-01-01T01,2,50\n"))
    assert capacity.used == {1: Decimal("0.5")}
    with pytest.raises(ReportError, match="duplicate column 'revenue': it is 'revenue' and 'Rev"):
        read_tenants(file("tenant,revenue,Revenue\nacme,1,2\n"))
    with pytest.raises(ReportError, match="row 2, column 'Revenue': 'x' is not a number"):
        read_tenants(file("tenant,Revenue\nacme,x\n"))


def test_columns_with_more_than_the_words_of_a_meaning_are_groups(file):
    """Signs belong to a name; `pool` is a budget's where there are budgets."""
    header, cells = "Tenant,tenant_,Share %,Revenue?,Pool,pool", "acme,a,12.5%,yes,blue,red"
    facts = read_tenants(file(f"{header}\n{cells}\n"))["acme"]
    assert facts.groups == dict(zip(header.split(",")[1:], cells.split(",")[1:], strict=True))
    assert (facts.revenue, facts.share) == (None, 0)
    budgets = file("Tenant,Pool,Budget\nacme,io,5\nacme,,9\n")
    assert read_tenants(budgets)["acme"].groups == {}
    assert [budget.pool for budget in read_budgets(budgets)] == ["io", ""]


def test_capacity_is_by_hour_in_utc(file):
    """Times with a zone, with Z and with none; the used part where it is known."""
    capacity = read_capacity(
        file(
            "hour,acu,utilization_percent\n1970-01-01T02:00:00+01:00,2,50\n"
            "1970-01-01T02:00:00Z,1.5,\n1970-01-01 03:00,0,100\n"
        )
    )
    assert capacity.acu == {1: 2, 2: Decimal("1.5"), 3: 0}
    assert capacity.used == {1: Decimal("0.5"), 3: 1}


def test_a_clusters_io_and_volume_are_read_where_they_are_known(file):
    """An empty cell says nothing, and 0 says that there was none."""
    capacity = read_capacity(
        file("hour,acu,io_requests,volume_bytes\n1970-01-01T01,1,7,\n1970-01-01T02,1,0,1.5e9\n")
    )
    assert capacity.io_requests == {1: 7, 2: 0}
    assert capacity.volume_bytes == {2: 1_500_000_000}


@pytest.mark.parametrize(
    ("read", "text", "error"),
    [
        (read_tenants, "tenant;plan\nacme;pro\n", "row 1: .*unexpected delimiter ';'"),
        (read_tenants, "", "row 1: column 'tenant' is missing; the columns are none"),
        (read_tenants, "name\nacme\n", "column 'tenant' is missing; the columns are 'name'"),
        (read_tenants, "tenant,a\nacme\n", "row 2: 1 cells and 2 columns"),
        (read_tenants, 'tenant,a\nacme,"x\n', "row 2"),
        (read_tenants, "tenant,a,a\n", "duplicate column"),
        (read_tenants, "tenant\nacme\nacme\n", "row 3, column 'tenant': duplicate tenant 'acme'"),
        (read_tenants, 'tenant,revenue\nacme,"1,200.00"\n', "row 2, column 'revenue': '1,200.00'"),
        (read_tenants, "tenant,share\nacme,-1\n", "column 'share': '-1' is not a number, 0 or"),
        (read_tenants, "tenant,revenue\nacme,NaN\n", "'NaN' is not a number"),
        (read_tenants, "tenant,revenue\nacme,1e400\n", "'1e400' is not a number"),
        (
            read_tenants,
            "tenant,revenue\n,10\n",
            "row 2, column 'tenant': '' is not a tenant's name",
        ),
        (read_tenants, "tenant,revenue,budget\n,10,\n", "'' is not a tenant's name"),
        (read_storage, "tenant,bytes\n ,10\n", "' ' is not a tenant's name"),
        (read_tenants, "tenant,revenue\nacme,1_000\n", "'1_000' is not a number"),
        (read_storage, "tenant,bytes\nacme,much\n", "column 'bytes': 'much' is not"),
        (read_storage, "tenant,bytes\na,1\na,2\n", "row 3, column 'tenant'"),
        (read_capacity, "hour,acu\nnoon,1\n", "column 'hour': 'noon' is not a time"),
        (read_capacity, "hour,acu\n2026-11-01T00:30,1\n", "is not the start of an hour"),
        (read_capacity, "hour,acu\n2026-11-01T00,1\n2026-11-01T00,1\n", "row 3, .*duplicate hour"),
        (read_capacity, "hour,acu,io_requests\n2026-11-01T00,1,-1\n", "column 'io_requests': '-1'"),
        (read_capacity, "hour,acu,volume_bytes\n2026-11-01T00,1,1 GB\n", "'volume_bytes': '1 GB'"),
        (read_capacity, "hour,acu,utilization_percent\n2026-11-01T00,1,101\n", "0 to 100"),
    ],
)
def test_a_wrong_file_names_file_row_and_column(file, read, text, error):
    """One line, and never a wrong total."""
    with pytest.raises(ReportError, match=error) as caught:
        read(file(text))
    assert "in.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_named(file, tmp_path):
    """The system's own words say why."""
    with pytest.raises(ReportError, match=r"none\.csv' cannot be read: No such file"):
        read_tenants(tmp_path / "none.csv")
    with pytest.raises(ReportError, match="not UTF-8"):
        read_tenants(file("tenant\nä\n", "latin-1"))
