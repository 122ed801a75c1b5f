"""From settings to exporters."""

from __future__ import annotations

import pytest

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
