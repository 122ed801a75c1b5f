"""Several operations in one transaction, and a transaction around a function."""

import pytest
from botocore.exceptions import ClientError

import tenantmetrics
from tenantmetrics.dataapi.responses import rows_of
from tenantmetrics.errors import RlsError
from tenantmetrics.rls import Context, batch, transactional

ACME = Context(tenant="acme")
INSERT = "INSERT INTO b VALUES ('acme', :n)"


def test_operations_of_each_kind_run_in_one_transaction(app):
    """In order; what each gave comes back."""
    listed = batch(
        app.client,
        ACME,
        [
            (INSERT, {"n": "new"}),
            "SELECT note FROM b ORDER BY note",
            lambda tx: len(rows_of(tx.execute("SELECT 1 FROM b"))),
        ],
        **app.target,
    )
    assert listed[0]["numberOfRecordsUpdated"] == 1
    assert rows_of(listed[1]) == [["a1"], ["a2"], ["new"]]
    assert listed[2] == 3
    names = [name for name, _ in app.sent]
    assert (names[0], names[-1], len(names)) == ("BeginTransaction", "CommitTransaction", 6)


def test_one_that_fails_undoes_all(app, unchanged):
    """Its error is raised; the ones after it do not run."""
    ran = []
    with pytest.raises(ClientError, match="42501"):
        batch(
            app.client,
            ACME,
            [(INSERT, {"n": "new"}), "INSERT INTO b VALUES ('globex', 'x')", ran.append],
            **app.target,
        )
    assert ran == []
    unchanged()


@pytest.mark.parametrize("wrong", [7, None, ("a", {}, {}), b"SELECT 1"])
def test_what_is_no_operation_is_said_before_anything_is_sent(app, wrong):
    """By its number."""
    with pytest.raises(TypeError, match="operation 1"):
        batch(app.client, ACME, ["SELECT 1", wrong], **app.target)
    assert app.sent == []


def test_a_decorated_function_gets_a_transaction_a_call(app, unchanged):
    """For the tenant of the moment."""

    @transactional(app.client, **app.target)
    def notes(tx, order):
        return [
            note for (note,) in rows_of(tx.execute(f"SELECT note FROM b ORDER BY note {order}"))
        ]

    with tenantmetrics.tenant("acme"):
        assert notes("DESC") == ["a2", "a1"]
    with tenantmetrics.tenant("globex"):
        assert notes(order="ASC") == ["g1"]
    with pytest.raises(RlsError, match="no tenant"):
        notes("ASC")
    assert notes.__name__ == "notes"
    unchanged()
