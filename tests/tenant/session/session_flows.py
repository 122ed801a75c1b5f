"""Random flows of what sessions go through: settings, savepoints, errors, ends of transactions."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.tenant.session import session_forms as forms

__all__ = ["VARIABLES", "SessionFlows"]

VARIABLES = ("app.tenant", "tenant.id")
"""Of the settings, the most trusted first."""


class SessionFlows:
    """Random flows, each a list of texts.

    Args:
        seed: The same seed makes the same flows.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._chosen = random.Random(seed)
        self._count = 0

    def one(self) -> list[str]:
        """The next flow."""
        return list(self._texts())

    def _texts(self) -> Iterator[str]:
        chosen = self._chosen
        # Some flows are about few kinds of statements, so that these meet more often.
        kinds = (
            chosen.sample(forms.KINDS, chosen.randint(2, 6))
            if chosen.random() < 0.6
            else list(forms.KINDS)
        )
        for _ in range(chosen.randint(3, 14)):
            count = chosen.choice((1,) * 6 + (2, 3))
            yield "; ".join(self._statement(chosen.choice(kinds)) for _ in range(count))

    def _statement(self, kind: str) -> str:
        chosen = self._chosen
        self._count += 1
        if kind == "begin":
            return chosen.choice(forms.BEGINS)
        if kind == "point":
            word = chosen.choice(
                ("SAVEPOINT", "SAVEPOINT", "ROLLBACK TO", "RELEASE", "ROLLBACK TO SAVEPOINT")
            )
            return f"{word} {chosen.choice(forms.POINTS)}"
        if kind == "prepare":
            form = chosen.choice(forms.OF_PREPARED)
            query = self._filled(chosen.choice(forms.PREPARED))
            return form.format(p=chosen.choice("pq"), q=query, n=self._count)
        return self._filled(chosen.choice(forms.FORMS[kind]))

    def _filled(self, form: str) -> str:
        for place, make in (
            ("{c}", self._call),
            ("{d}", self._call),
            ("{v}", self._value),
            ("{l}", self._local),
        ):
            while place in form:
                form = form.replace(place, make(), 1)
        return form.replace("{n}", str(self._count)).replace(
            "{name}", self._chosen.choice(forms.NAMES)
        )

    def _call(self) -> str:
        chosen = self._chosen
        value = (
            chosen.choice(forms.TEXTS) if chosen.random() < 0.5 else chosen.choice(forms.TEXTS[:3])
        )
        return f"set_config({chosen.choice(forms.QUOTED)}, {value}, {self._local()})"

    def _value(self) -> str:
        return self._chosen.choice(
            forms.VALUES if self._chosen.random() < 0.5 else forms.VALUES[:3]
        )

    def _local(self) -> str:
        return self._chosen.choice(forms.LOCALS)
