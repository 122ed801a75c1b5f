"""One endpoint for all tests of this folder, a database for each."""

from tenantmetrics import testing

data_api = testing.data_api
data_api_endpoint = testing.data_api_endpoint
