"""The file of clusters and secrets."""

import pytest

from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi import Cluster, Secret, load

GOOD = """
[[cluster]]
arn = "arn:aws:rds:us-east-1:1:cluster:a"
postgres = "postgresql://localhost/app"
database = "app"

[[cluster]]
arn = "arn:aws:rds:us-east-1:1:cluster:b"
postgres = "embedded"

[[secret]]
arn = "arn:aws:secretsmanager:us-east-1:1:secret:a"
user = "app"
password_env = "APP_PASSWORD"
"""


@pytest.fixture
def written(tmp_path):
    def written(text):
        path = tmp_path / "clusters.toml"
        path.write_text(text)
        return path

    return written


def test_a_file_names_clusters_and_secrets(written):
    """Passwords may come from the environment, and are in no repr."""
    clusters, secrets = load(written(GOOD), {"APP_PASSWORD": "hidden"})
    assert clusters == [
        Cluster("arn:aws:rds:us-east-1:1:cluster:a", "postgresql://localhost/app", "app"),
        Cluster("arn:aws:rds:us-east-1:1:cluster:b", "embedded"),
    ]
    assert secrets == [Secret("arn:aws:secretsmanager:us-east-1:1:secret:a", "app", "hidden")]
    assert "hidden" not in repr(secrets)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (GOOD, "", "needs at least one"),
        (GOOD, "[[cluster", "is not TOML"),
        ('postgres = "embedded"', "", "has no 'postgres'"),
        ("cluster:b", "cluster:a", "twice"),
        ('user = "app"', "user = 1", "must be a string"),
        ('user = "app"', 'usr = "app"', "unknown 'usr'"),
        ("[[secret]]", "[[secrets]]", "unknown 'secrets'"),
        ("[[secret]]", "[secret]", "two brackets"),
        ("APP_PASSWORD", "NOT_SET", "NOT_SET"),
        ("postgresql://localhost/app", "postgresql://[/", "not a valid PostgreSQL URL"),
    ],
)
def test_a_wrong_file_is_one_clear_line(written, old, new, complaint):
    """It names the file and the entry."""
    with pytest.raises(LocalApiError, match=complaint) as caught:
        load(written(GOOD.replace(old, new)), {"APP_PASSWORD": "hidden"})
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    """With the system's reason."""
    with pytest.raises(LocalApiError, match=r"absent\.toml"):
        load(tmp_path / "absent.toml")
