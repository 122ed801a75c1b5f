"""From settings to exporters."""

from __future__ import annotations

import pytest

from tenantmetrics.config import load
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.export.registry import build


def test_a_ledger_spec_makes_a_ledger_exporter_in_that_folder(tmp_path):
    """The folder, colons and all, is what follows the first colon."""
    (exporter,) = build([f"ledger:{tmp_path}/a:b"])
    assert isinstance(exporter, LedgerExporter)
    assert (tmp_path / "a:b").is_dir()


@pytest.mark.parametrize("spec", ["cloudwash", "", "ledgers:/tmp/x", ":"])
def test_an_unknown_exporter_is_refused_with_the_names_that_are_known(spec):
    """A typo is told at start, with what may be written."""
    with pytest.raises(ConfigError, match="known are ledger:FOLDER"):
        build([spec])


def test_a_ledger_without_a_folder_is_refused():
    """The error shows the form to write."""
    with pytest.raises(ConfigError, match="ledger:/var/lib/tenantmetrics"):
        build(["ledger"])


def test_the_same_exporter_twice_is_refused(tmp_path):
    """Two writers of the same files would race."""
    with pytest.raises(ConfigError, match="given twice"):
        build([f"ledger:{tmp_path}"] * 2)


@pytest.mark.parametrize("spec", ["ledger:S3://bucket/x", "ledger:s3:/bucket/x", "ledger:gs://b/x"])
def test_a_url_that_is_none_of_s3_is_not_taken_for_a_folder(spec, tmp_path, monkeypatch):
    """Bills would rest on a folder called "s3:" in the working directory."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="write ledger:FOLDER or ledger:s3://BUCKET/PREFIX"):
        build([spec])
    assert not list(tmp_path.iterdir())


def test_an_exporter_that_cannot_be_made_names_setting_value_and_source(tmp_path):
    """Whatever it was that found the mistake."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    config = load({"TENANTMETRICS_EXPORTERS": f"ledger:{blocked}/x"})
    with pytest.raises(
        ConfigError,
        match=rf"exporters = 'ledger:{blocked}/x' \(from environment TENANTMETRICS_EXPORTERS\): ",
    ):
        build(config.exporters, config)


@pytest.mark.parametrize(
    "spec",
    ["otlp:ftp://me:hunter2@host/x", "otlp:https://me:hunter2@host:0/x?key=hunter2"],
)
def test_a_password_in_a_url_is_not_in_the_error(spec):
    """Errors end up in logs and tickets."""
    with pytest.raises(ConfigError) as caught:
        build([spec])
    assert "hunter2" not in str(caught.value)
    assert "@host" in str(caught.value)
