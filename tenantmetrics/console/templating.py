"""Jinja2 and markdown-it-py for the preview: names of tenants come out as text, never as markup."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from tenantmetrics.errors import MissingExtraError
from tenantmetrics.html_templates import environment

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["markdown", "render"]

_DASHBOARD = "#dashboards:name="


def render(template: str, **values: Any) -> Markup:
    """A template of `templates/` with its values.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja2, looked for below

    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 - escaped


def markdown(text: str) -> Markup:
    """A text widget's Markdown; links to another dashboard lead to its section of the page.

    Markup in the text is shown as text.

    Raises:
        MissingExtraError: markdown-it-py is not installed.
    """
    try:
        from markdown_it import MarkdownIt  # noqa: PLC0415 - an extra
        from markupsafe import Markup  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("the preview of dashboards", "console") from None
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    tokens = parser.parse(text)
    for block in tokens:
        if block.tag == "h1":  # the page has a first heading of its own
            block.tag = "h2"
        for token in block.children or ():
            target = str(token.attrGet("href") or "")
            if target.startswith(_DASHBOARD):
                token.attrSet("href", f"#{target.rpartition('-')[2]}")
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - escaped


@cache
def _environment() -> Environment:
    made = environment("tenantmetrics.console", "the preview of dashboards", "console")
    made.filters["px"] = _px
    made.filters["points"] = _points
    return made


def _px(place: float) -> str:
    return f"{place:.1f}"


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
