"""Texts from outside in cells of a workbook."""

from __future__ import annotations

__all__ = ["plain"]


def plain(text: str) -> str:
    """A text that XlsxWriter writes as text: it takes `<r>...</r>` for XML of its own."""
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text
