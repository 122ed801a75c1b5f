"""Jinja2 as every page of ours uses it: what is put into a template is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantmetrics.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["environment"]


def environment(package: str, feature: str, extra: str) -> Environment:
    """The templates in a package's folder `templates`.

    Args:
        package: Its name.
        feature: What needs them, for the message.
        extra: The extra that brings Jinja2 along.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError(feature, extra) from None
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
