"""The CloudFormation template of the scheduled report."""

from __future__ import annotations

from importlib import resources

__all__ = ["template"]


def template() -> str:
    """The template's text."""
    return (resources.files(__package__) / "stack.yaml").read_text("utf-8")
