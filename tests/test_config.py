"""Settings: argument > environment > file > default; a wrong one is a single clear error."""

import inspect
import re

import pytest

from tenantmetrics.config import SETTINGS, Config, load, misspelt
from tenantmetrics.errors import ConfigError
from tenantmetrics.settings import Settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Away from this project's own pyproject.toml."""
    monkeypatch.chdir(tmp_path)


def test_an_argument_beats_the_environment_beats_the_file_beats_the_default(tmp_path):
    """Each in turn, for the same setting."""
    (tmp_path / "pyproject.toml").write_text("[tool.tenantmetrics]\nwindow_s = 30\n")
    environ = {"TENANTMETRICS_WINDOW_S": "20"}
    assert load(environ, window_s=10).window_s == 10
    assert load(environ).window_s == 20
    assert load({}).window_s == 30
    (tmp_path / "pyproject.toml").unlink()
    assert load({}).window_s == 60


def test_a_command_calls_an_argument_by_its_flag():
    """Python's users know `configure`, those of a command its flags."""
    with pytest.raises(ConfigError, match=r"\(from --column\)"):
        load({}, flags={"tenant_columns": "--column"}, tenant_columns=[3])
    with pytest.raises(ConfigError, match=r"\(from configure\(\)\)"):
        load({}, tenant_columns=[3])


def test_the_named_file_is_read_with_or_without_the_table(tmp_path):
    """`tenantmetrics.toml` may hold the settings at its top."""
    plain, table = tmp_path / "tenantmetrics.toml", tmp_path / "other.toml"
    plain.write_text('exporters = ["emf"]\nnamespace = "Shop"\n')
    table.write_text("[tool.tenantmetrics]\nmax_metric_tenants = 7\n")
    assert load({"TENANTMETRICS_CONFIG": str(plain)}).exporters == ("emf",)
    assert load({"TENANTMETRICS_CONFIG": str(plain)}).namespace == "Shop"
    assert load({"TENANTMETRICS_CONFIG": str(table)}).max_metric_tenants == 7


def test_a_named_file_takes_the_place_of_pyproject(tmp_path):
    """One file, not a mixture."""
    (tmp_path / "pyproject.toml").write_text("[tool.tenantmetrics]\nwindow_s = 30\n")
    (tmp_path / "x.toml").write_text("queue_size = 9\n")
    config = load({"TENANTMETRICS_CONFIG": "x.toml"})
    assert (config.queue_size, config.window_s) == (9, 60)


@pytest.mark.parametrize(
    ("environ", "exporters"),
    [
        ({}, ("cloudwatch",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c"}, ("otlp",)),
        ({"AWS_LAMBDA_FUNCTION_NAME": "f"}, ("emf",)),
        ({"AWS_LAMBDA_FUNCTION_NAME": "f", "OTEL_EXPORTER_OTLP_ENDPOINT": "x"}, ("emf",)),
        ({"TENANTMETRICS_EXPORTERS": ""}, ()),
        ({"TENANTMETRICS_EXPORTERS": "none"}, ()),
        ({"TENANTMETRICS_EXPORTERS": "emf, ledger:/x"}, ("emf", "ledger:/x")),
    ],
)
def test_the_exporters_follow_the_environment(environ, exporters):
    """EMF in Lambda, OTLP where an endpoint is set, else CloudWatch; or what is said, or none."""
    assert load(environ).exporters == exporters


def test_no_exporters_at_all_can_be_said():
    """An empty list is not the same as nothing given."""
    assert load({}, exporters=[]).exporters == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"window_s": 7}, "window_s = 7 (from configure()): must be a divisor of 3600"),
        ({"window_s": 2.5}, "window_s = 2.5 (from configure()): must be a whole number"),
        ({"window_s": True}, "window_s = True (from configure()): must be a whole number"),
        ({"queue_size": 0}, "queue_size = 0 (from configure()): must be at least 1"),
        ({"flush_interval_s": "soon"}, "must be a number of seconds"),
        ({"flush_interval_s": float("inf")}, "must be at most 86400 seconds"),
        ({"flush_interval_s": float("nan")}, "must be a number of seconds"),
        ({"flush_interval_s": 1e12}, "must be at most 86400 seconds, a day"),
        ({"exit_timeout_s": "inf"}, "must be at most 86400 seconds, a day"),
        ({"metric_level": "all"}, "must be one of essential, detailed"),
        ({"sigterm": "ignore"}, "must be one of default, chain, off"),
        ({"billed_bytes": "x"}, "must be one of request+response, response, request, max"),
        ({"namespace": "AWS/RDS"}, "namespace = 'AWS/RDS' (from configure()): must be 1 to 255"),
        ({"namespace": ""}, "must be 1 to 255"),
        ({"trace_link": "perhaps"}, "must be true or false"),
        ({"exporters": 5}, "must be a list of strings"),
        ({"exporters": [5]}, "must be a list of strings"),
        ({"exporters": ["none", "emf"]}, "(from configure()): must be 'none' alone"),
        ({"spool_path": 5}, "must be a string"),
        ({"exporter": ["emf"]}, "unknown setting 'exporter': known are"),
    ],
)
def test_a_wrong_argument_names_setting_value_source_and_what_is_allowed(arguments, says):
    """On one line."""
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        load({}, **arguments)
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_is_named():
    """The environment's name, as it has to be looked for."""
    with pytest.raises(
        ConfigError,
        match=r"window_s = '7' \(from environment TENANTMETRICS_WINDOW_S\): must be a divisor",
    ):
        load({"TENANTMETRICS_WINDOW_S": "7"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("window_s = 7", r"window_s = 7 \(from x.toml, named by TENANTMETRICS_CONFIG\)"),
        ("windows = 7", r"unknown setting 'windows' \(from x.toml, named by"),
        ("window_s = ", r"settings file x.toml, named by TENANTMETRICS_CONFIG: not TOML"),
        ("tool.tenantmetrics = 3", r"must be a table"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, says):
    """With the way by which it was found."""
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ConfigError, match=says):
        load({"TENANTMETRICS_CONFIG": "x.toml"})


def test_a_named_file_that_is_missing_is_an_error():
    """A typo in its name must not fall back to the defaults in silence."""
    with pytest.raises(ConfigError, match=r"cannot read settings file .*: No such file"):
        load({"TENANTMETRICS_CONFIG": "nowhere.toml"})


@pytest.mark.parametrize("content", [b"[tool.black]\n", b"not toml at all {", b"\xff\xfe"])
def test_a_pyproject_of_somebody_else_is_passed_over(tmp_path, content):
    """The working directory may be anywhere."""
    (tmp_path / "pyproject.toml").write_bytes(content)
    assert load({}).window_s == 60


@pytest.mark.parametrize(
    ("text", "flag"), [("1", True), ("true", True), ("On", True), ("0", False), ("no", False)]
)
def test_flags_are_read_from_text(text, flag):
    """Whatever way people write it."""
    assert load({"TENANTMETRICS_TRACE_LINK": text}).trace_link is flag


def test_names_that_are_no_setting_are_passed_over_in_the_environment():
    """Kubernetes makes TENANTMETRICS_SERVICE_HOST for a service of this name."""
    assert load({"TENANTMETRICS_SERVICE_HOST": "10.0.0.1"}) == load({})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TENANTMETRICS_STRCT", "TENANTMETRICS_STRICT"),
        ("TENANTMETRICS_EXPORTER", "TENANTMETRICS_EXPORTERS"),
        ("TENANTMETRICS_FLUSH_INTERVALS", "TENANTMETRICS_FLUSH_INTERVAL_S"),
        ("TENANTMETRICS_TENANT_COLUMN", "TENANTMETRICS_TENANT_COLUMNS"),
    ],
)
def test_what_looks_like_a_misspelt_setting_is_named(name, meant):
    """In the environment nobody else would notice."""
    assert misspelt({name: "1", "TENANTMETRICS_STRICT": "1"}) == {name: meant}


def test_what_kubernetes_makes_is_no_misspelt_setting():
    """For a service called tenantmetrics."""
    names = ["SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8787_TCP", "PORT_8787_TCP_ADDR"]
    assert misspelt(dict.fromkeys([f"TENANTMETRICS_{name}" for name in names], "1")) == {}


def test_every_setting_is_described_in_its_class_and_in_the_documentation(pytestconfig):
    """Nobody has to read code to find out what there is."""
    text = (pytestconfig.rootpath / "docs/configuration.md").read_text()
    for name in SETTINGS:
        assert f"\n    {name}: " in inspect.getdoc(Config)
        assert f"`{name}`" in text


def test_it_is_remembered_where_a_setting_came_from():
    """For the errors of whatever finds out later that it cannot work."""
    config = load({"TENANTMETRICS_NAMESPACE": "Shop"}, window_s=30)
    assert config.origins == {
        "namespace": "environment TENANTMETRICS_NAMESPACE",
        "window_s": "configure()",
    }


def test_names_that_postgresql_takes_in_any_case_are_compared_in_lower_case():
    """`Tenant_ID` and `App.Tenant` find what they mean."""
    config = load({}, tenant_columns=["Tenant_ID"], tenant_variables=["App.Tenant"])
    assert (config.tenant_columns, config.tenant_variables) == (("tenant_id",), ("app.tenant",))


def test_a_value_of_any_length_makes_an_error_that_can_be_read():
    """The start of it says which one it is."""
    with pytest.raises(ConfigError) as caught:
        load({}, queue_size="9" * 10_000)
    assert len(str(caught.value)) < 400


def test_the_keywords_of_configure_are_the_settings():
    """A type checker knows each, and no other."""
    assert Settings.__annotations__.keys() == SETTINGS.keys()
    assert not Settings.__required_keys__
