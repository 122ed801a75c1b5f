"""What a wrong value of an option is answered with, whichever version of Typer reads it.

Since 0.29 Typer has pydantic check values and prints its words as they are: "Value error, …", or
"Input should be a valid integer, unable to parse …", which does not say what was given.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["CommandTree"]


class CommandTree(TyperGroup):
    """The root of the argument tree: every command's options are read inside its `invoke`."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a wrong value is told in our words."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = _plain(error)
            raise


def _plain(error: typer.BadParameter) -> str:
    """The message without pydantic's prefix, and with the value that it is about."""
    message = error.message.removeprefix("Value error, ")
    wanted = message.removeprefix("Input should be ")
    found = getattr(error.__cause__, "errors", None)
    if wanted == message or found is None:
        return message
    return f"{found()[0]['input']!r} must be {wanted.partition(', ')[0]}."
