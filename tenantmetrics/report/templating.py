"""The pages' templates: everything that is put into one is escaped."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tenantmetrics.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["template"]


@cache
def template(name: str) -> Template:
    """A template of `report/templates`.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("the HTML report", "report") from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tenantmetrics.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
