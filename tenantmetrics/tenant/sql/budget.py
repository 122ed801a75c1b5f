"""The bound on the work of one statement, counted in steps so that it is the same on any machine.

SQL can say much in few characters: each of 20 WITH queries that reads the one before twice doubles
the rows of text that it stands for. Analysis and evaluation count what they do; past the bound the
statement is undecided.
"""

from __future__ import annotations

__all__ = ["Budget", "TooMuchWorkError"]


class TooMuchWorkError(Exception):
    """A statement takes more steps than it may."""


class Budget:
    """Steps that are left.

    Args:
        steps: How many there are; a step takes about a microsecond.
    """

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Take steps.

        Raises:
            TooMuchWorkError: There are not so many left.
        """
        self.left -= steps
        if self.left < 0:
            raise TooMuchWorkError

    def demand(self, steps: int) -> None:
        """Ask for steps that are taken when what needs them is done.

        Raises:
            TooMuchWorkError: There are not so many left.
        """
        if self.left < steps:
            raise TooMuchWorkError
