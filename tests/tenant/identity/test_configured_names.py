"""The tenant's settings: from arguments and from the environment, checked at start."""

from __future__ import annotations

import pytest

from tenantmetrics import config
from tenantmetrics.errors import ConfigError


def test_the_environment_can_say_each(make_resolver):
    """Lists by commas, flags by words, patterns as they are."""
    found = config.load(
        {
            "TENANTMETRICS_TENANT_SOURCES": "session,statement",
            "TENANTMETRICS_TENANT_FUNCTIONS": "f, app.g:2",
            "TENANTMETRICS_TENANT_SETTERS": "become",
            "TENANTMETRICS_TENANT_COMMENT_KEYS": "org",
            "TENANTMETRICS_TENANT_SCHEMA_PATTERN": "org_(.+)",
            "TENANTMETRICS_TENANT_DATABASE_PATTERN": "",
            "TENANTMETRICS_TENANT_ROLE_PATTERN": "r_(.+)",
            "TENANTMETRICS_STRICT": "yes",
            "TENANTMETRICS_STRICT_EXEMPT_TABLES": "plans",
            "TENANTMETRICS_STRICT_EXEMPT_STATEMENTS": "SELECT plans",
            "TENANTMETRICS_STRICT_EXEMPT_CLIENTS": "*:cluster:x",
        },
    )
    assert found.tenant_sources == ("session", "statement")
    assert found.tenant_functions == ("f", "app.g:2")
    assert found.tenant_schema_pattern == "org_(.+)"
    assert found.tenant_database_pattern == ""
    assert found.strict is True
    assert found.strict_exempt_clients == ("*:cluster:x",)


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("tenant_sources", "session,nobody", "context"),
        ("tenant_sources", "session,session", "each once"),
        ("tenant_sources", "", "some of"),
        ("tenant_functions", "f:0", "name:2"),
        ("tenant_setters", "f:x", "name:2"),
        ("tenant_schema_pattern", "tenant_.*", "one group"),
        ("tenant_role_pattern", "(", "regular expression"),
        ("tenant_database_pattern", "(a)(b)", "one group"),
        ("strict", "perhaps", "true or false"),
    ],
)
def test_a_wrong_value_is_one_error_that_says_what_is_allowed(setting, value, allowed):
    """With the setting, the value and where it came from."""
    name = f"TENANTMETRICS_{setting.upper()}"
    with pytest.raises(ConfigError, match=allowed) as error:
        config.load({name: value})
    assert name in str(error.value)
