"""An AWS account for commands: moto's server over HTTP."""

import boto3
import pytest


@pytest.fixture
def cloudwatch(aws_account, monkeypatch, tmp_path):
    """An empty account, and the working folder where undo files go."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.chdir(tmp_path)
    client = boto3.client("cloudwatch", region_name="eu-west-1")
    yield client
    client.close()
