"""What a text that is not read may do to its session: it leaves a tenant that is not known."""

from __future__ import annotations

import re
from functools import lru_cache

from tenantmetrics.records import SessionVerb
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.session.session_variables import AUTHORIZATION, ROLE, SEARCH_PATH
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.plan import StepPlan
from tenantmetrics.tenant.sql.template import SESSION_NAMES, SETTING

__all__ = ["SETTINGS", "all_unknown", "call_names", "steps_unread", "unknown_steps"]

SETTINGS = "pg_settings"
"""To update it is to call set_config for each row."""
_PROGRAM_NAME = "application_name"


def call_names(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Functions that set the session's tenant, lower case.

    Args:
        vocabulary: The tenant's names.
    """
    return ("set_config", *vocabulary.setters)


def unknown_steps(vocabulary: Vocabulary) -> tuple[StepPlan, ...]:
    """Steps after which no variable that a function may set is known.

    Args:
        vocabulary: The tenant's names.
    """
    setters = (StepPlan(SessionVerb.SET, name, None, True) for name in vocabulary.setters)
    return (StepPlan(SessionVerb.SET, body=Operand()), *setters)


def steps_unread(text: str, vocabulary: Vocabulary) -> tuple[StepPlan, ...]:
    """What the statements of a text may set, told by one search for what sets anything.

    The SET of an UPDATE does not, and neither does a SET of other variables.

    Args:
        text: A template; a statement begins where it does, or behind a semicolon.
        vocabulary: The tenant's names.
    """
    pattern = _pattern(call_names(vocabulary), tuple(sorted(vocabulary.variables)))
    if pattern.search(f";{text}") is None:
        return ()
    return all_unknown(vocabulary)


def all_unknown(vocabulary: Vocabulary) -> tuple[StepPlan, ...]:
    """Steps after which no variable at all is known.

    Args:
        vocabulary: The tenant's names.
    """
    weak = [StepPlan(SessionVerb.SET, name) for name in (AUTHORIZATION, ROLE, SEARCH_PATH)]
    # It carries a tenant only within a transaction.
    weak.append(StepPlan(SessionVerb.SET, _PROGRAM_NAME, None, True))
    return (*unknown_steps(vocabulary), *weak)


@lru_cache(maxsize=8)
def _pattern(calls: tuple[str, ...], variables: tuple[str, ...]) -> re.Pattern[str]:
    names = [_dotted(name) for name in variables if name != _PROGRAM_NAME]
    names += SESSION_NAMES
    local = rf"|local\s++\"?{_PROGRAM_NAME}"
    called = "|".join(map(re.escape, calls))
    first = "".join({re.escape(form) for name in calls for form in (name[0], name[0].upper())})
    # Its first letter is looked at first, so that the search passes over most of the text.
    return re.compile(
        rf"(?=[;{first}])(?:(?<![\w$])(?:{called})"
        rf"|;\s*+(?:{SETTING}|set\s++"
        rf"(?:(?:(?:session|local)\s++)*+\"?(?:{'|'.join(names)}){local})))(?![\w$])",
        re.IGNORECASE,
    )


def _dotted(name: str) -> str:
    """A variable's name with quotes and blanks around its dots."""
    return r'"?\s*+\.\s*+"?'.join(map(re.escape, name.split(".")))
