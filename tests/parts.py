"""What a machine may lack that a test needs."""

import os
from typing import NoReturn

import pytest

__all__ = ["lacking"]


def lacking(message: str) -> NoReturn:
    """Skip the test, and fail it in CI, where nothing may be missing.

    Args:
        message: What is missing, and how to install it.
    """
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
