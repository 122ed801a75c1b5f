"""A Lambda handler: what it recorded is exported before the sandbox is frozen."""

import pytest

import tenantmetrics
from tenantmetrics import process
from tests.processes import run


class Context:
    def __init__(self, left_ms):
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self):
        return self._left_ms


@pytest.fixture
def flushes(monkeypatch):
    """The budgets that the current pipeline was asked to flush within."""
    asked = []
    monkeypatch.setattr(process.current(), "flush", asked.append)
    return asked


def test_a_lambda_handler_flushes_before_it_returns_or_raises(flushes):
    """And hands on what the handler returned or raised."""

    @tenantmetrics.lambda_handler
    def handler(event, context):
        assert flushes == []
        if event == "bad":
            raise KeyError(event)
        return event

    assert handler("good", None) == "good"
    assert flushes == [1.0]
    flushes.clear()
    with pytest.raises(KeyError):
        handler("bad", None)
    assert flushes == [1.0]
    assert handler.__name__ == "handler"


def test_a_handler_without_calls_makes_no_pipeline(tmp_path):
    """Nothing was recorded; even a setting that is wrong does not fail the invocation."""
    script = """
        @tenantmetrics.lambda_handler
        def handler(event, context):
            return event
        from tenantmetrics import process
        tenantmetrics.uninstrument(rds)
        process._current = None
        os.environ["TENANTMETRICS_WINDOW_S"] = "7"
        assert handler("fine", None) == "fine"
        assert process._current is None
    """
    done, _ = run(tmp_path, script, TENANTMETRICS_EXPORTERS="none")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("left_ms", "budgets"), [(60_000, [0.25]), (300, [0.2]), (100, []), (0, [])]
)
def test_a_lambda_flush_stays_within_the_invocations_time(flushes, left_ms, budgets):
    """A flush is never what times an invocation out."""

    @tenantmetrics.lambda_handler(timeout_s=0.25)
    def handler(_event, _context):
        return None

    handler({}, Context(left_ms))
    assert flushes == pytest.approx(budgets)
