"""What Node.js brings to these tests: HashiCorp's HCL, Grafana's types, a TypeScript compiler."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).with_name("js")
NEEDED = "Node.js and npm are missing: apt-get install -y nodejs npm"


@pytest.fixture(scope="session")
def javascript(tmp_path_factory):
    """A folder with the packages of js/package-lock.json installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NEEDED)
        pytest.skip(NEEDED)
    folder = tmp_path_factory.mktemp("js")
    for path in HERE.iterdir():
        shutil.copy(path, folder)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(install, cwd=folder, check=True, timeout=300)
    return folder
