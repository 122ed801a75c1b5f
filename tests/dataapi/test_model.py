"""The tables of the wire, against botocore's service model."""

import botocore.session
import pytest
from botocore import xform_name

from tenantmetrics.console.known import CODES
from tenantmetrics.dataapi.errors import COMMON_STATUS, MODEL_STATUS, STATUS
from tenantmetrics.dataapi.operations import OPERATIONS, PATHS, operation_of_method


@pytest.fixture(scope="module")
def model():
    return botocore.session.get_session().get_service_model("rds-data")


def test_the_operations_are_those_of_the_service_model(model):
    """Names, paths, methods, and which members each requires."""
    assert set(OPERATIONS) == set(model.operation_names)
    for name, operation in OPERATIONS.items():
        wire = model.operation_model(name)
        assert (wire.http["method"], wire.http["requestUri"]) == ("POST", operation.path)
        assert operation.method == xform_name(name)
        required = {operation.cluster_member, operation.secret_member}
        required |= {operation.sql_member} - {None}
        required |= {"transactionId"} if operation.needs_transaction else set()
        assert required == set(wire.input_shape.required_members)
        assert PATHS[operation.path] is operation_of_method(operation.method) is operation


def test_the_errors_are_those_of_the_service_model(model):
    """Every error shape has its status here, and nothing else is said to be of the model."""
    statuses = {
        shape.name: shape.metadata["error"]["httpStatusCode"] for shape in model.error_shapes
    }
    assert statuses == MODEL_STATUS
    assert MODEL_STATUS.keys().isdisjoint(COMMON_STATUS)


def test_dashboards_know_every_error_that_a_call_can_end_with():
    """One list of codes serves the endpoint, the clients and the screens."""
    assert set(CODES) == {"ok", *STATUS}
