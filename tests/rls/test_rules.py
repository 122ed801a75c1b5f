"""What a tenant, a user and a variable may look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.errors import ConfigError, RlsError
from tenantmetrics.rls.rules import Context, Rules, application_name, settings

UUID = "0b5c1b9e-5d0c-4ba2-9a6b-0d3b3c1f2a11"


@pytest.mark.parametrize("tenant", ["acme", "42", "Müller", "日本", "a.b-c@d:e+f/g=h|i", UUID])
def test_the_default_rules_take_names(tenant):
    """Letters and digits of any script."""
    assert settings(Context(tenant=tenant), Rules()) == (
        tenant,
        {"app.current_tenant_id": tenant},
    )


@pytest.mark.parametrize("spelling", [UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}"])
def test_a_uuid_has_one_spelling(spelling):
    """Whichever way it was written."""
    assert settings(Context(tenant=spelling), Rules(uuid=True))[0] == UUID


def test_what_is_no_uuid_is_refused():
    """Where tenants are UUIDs."""
    with pytest.raises(RlsError, match="not a UUID"):
        settings(Context(tenant="acme"), Rules(uuid=True))


def test_variables_have_the_names_that_the_rules_give():
    """The tenant's comes first."""
    rules = Rules(tenant_variable="my.tenant", user_variable="my.person", application_name=True)
    context = Context(tenant="acme", user="u1", variables={"my.role": "clerk"})
    assert list(settings(context, rules)[1].items()) == [
        ("my.tenant", "acme"), ("my.person", "u1"), ("my.role", "clerk"),
        ("application_name", "acme"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["role", "search_path", "session_authorization", "app", "app.", "a b.c", "app.x;", ""]
)
def test_a_setting_of_postgresqls_own_is_no_variable(name):
    """A tenant that could set `role` would leave its policies behind."""
    with pytest.raises(RlsError, match="needs a dot"):
        settings(Context(tenant="acme", variables={name: "x"}), Rules())


@pytest.mark.parametrize("name", ["app.current_tenant_id", "APP.Current_Tenant_ID"])
def test_a_variable_cannot_take_the_tenants_place(name):
    """PostgreSQL does not tell names apart by case."""
    with pytest.raises(RlsError, match="twice"):
        settings(Context(tenant="acme", variables={name: "globex"}), Rules())


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant_variable": "role"},
        {"user_variable": "app; x"},
        {"user_variable": "App.Current_Tenant_Id"},
        {"alphabet": "("},
        {"max_chars": 0},
        {"attempts": 0},
        {"attempts": 11},
    ],
    ids=str,
)
def test_rules_that_cannot_hold_are_refused(wrong):
    """When they are made, not with the first tenant."""
    with pytest.raises(ConfigError):
        Rules(**wrong)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.lists(NAMES | st.text("ab~0", min_size=60, max_size=80), min_size=2, unique=True))
def test_an_application_name_fits_and_is_one_tenants(tenants):
    """63 bytes of printable ASCII, which PostgreSQL leaves as they are."""
    names = [application_name(tenant) for tenant in tenants]
    assert all(name.isascii() and name.isprintable() and len(name) <= 63 for name in names)
    assert len(set(names)) == len(names)
    # Nor is a tenant that is called as another's name is.
    assert len({*names, *map(application_name, set(names) - {*tenants})}) == len(
        {*names} | {application_name(name) for name in names}
    )
