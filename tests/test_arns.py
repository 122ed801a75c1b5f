"""The region that an ARN names."""

import pytest

from tenantmetrics.arns import region_of


@pytest.mark.parametrize(
    ("arn", "region"),
    [
        ("arn:aws:rds:eu-west-1:123456789012:cluster:shop", "eu-west-1"),
        ("arn:aws-cn:rds:cn-north-1:123456789012:cluster:a:b", "cn-north-1"),
        ("arn:aws:s3:::bucket", ""),
        ("shop", ""),
        ("", ""),
        ("arn:aws:rds:eu-west-1", ""),
    ],
)
def test_the_region_of_an_arn(arn, region):
    """Empty where there is none, and where it is no ARN."""
    assert region_of(arn) == region
