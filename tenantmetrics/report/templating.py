"""The pages' templates: everything that is put into one is escaped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tenantmetrics.html_templates import environment

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["template"]


@cache
def template(name: str) -> Template:
    """A template of `report/templates`.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    made = environment("tenantmetrics.report", "the HTML report", "report")
    return made.get_template(name)
