"""What a tenant, a user and a session variable may look like, and what they become.

Values reach PostgreSQL as parameters only, so none of them can be SQL. What is refused here is
refused because it is most likely a mistake, or an attempt: no name of a tenant holds a NUL, a mark
that turns the text around, or ten megabytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tenantmetrics.errors import ConfigError, RlsError
from tenantmetrics.limits import APPLICATION_NAME_MAX_BYTES
from tenantmetrics.tenant.identity.tenant_context import current_tenant

__all__ = ["Context", "Rules", "application_name", "settings"]

# A setting with a dot in it is nobody's but the application's; one without may be `role`.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_ALPHABET = r"[^\W_][\w.@:+/=|-]*"
_SHOWN_CHARS = 40
_DIGEST_CHARS = 16
_DIGESTED = re.compile(r".*~[0-9a-f]{16}", re.DOTALL)
_ATTEMPTS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Whose transaction it is.

    Attributes:
        tenant: The tenant; None for that of `with tenantmetrics.tenant(...)` around the caller.
        user: The user; None sets no variable.
        variables: Further variables → values.
    """

    tenant: str | None = None
    user: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    r"""Names of variables, and what values may look like.

    Attributes:
        tenant_variable: The variable that the policies compare the tenant column with.
        user_variable: The variable for the user.
        alphabet: Regular expression that a whole tenant or user must match; the default takes
            letters and digits of any script and `_.@:+/=|-`, a letter or a digit first.
        max_chars: Longest tenant or user; of a further variable's value, 16 times as much.
        uuid: Whether tenants are UUIDs; they are sent in lower case with hyphens.
        strict: Whether a missing tenant is an error. Without, the variable is set to the empty
            text, which is no tenant: policies show no row.
        application_name: Whether `application_name` is set to the tenant too, so that the
            server's own views know it; it costs no request.
        attempts: How often a call is tried whose request never left this machine, or that a
            database which was asleep refused; 1 never repeats.

    Raises:
        ConfigError: A variable's name has no dot (`role` and `search_path` are PostgreSQL's), the
            alphabet does not parse, a number is out of range, or two names are one.
    """

    tenant_variable: str = "app.current_tenant_id"
    user_variable: str = "app.current_user_id"
    alphabet: str = _ALPHABET
    max_chars: int = 256
    uuid: bool = False
    strict: bool = True
    application_name: bool = False
    attempts: int = 3

    def __post_init__(self) -> None:
        for name in ("tenant_variable", "user_variable"):
            value = getattr(self, name)
            if not _VARIABLE.fullmatch(value):
                raise ConfigError(
                    f"{name} = {value[:_SHOWN_CHARS]!r}: must be a name with a dot, such as "
                    "'app.current_tenant_id'"
                )
        # PostgreSQL does not tell the names of settings apart by case.
        if self.tenant_variable.lower() == self.user_variable.lower():
            raise ConfigError(
                f"tenant_variable and user_variable are both {self.tenant_variable!r}: the user "
                "would take the tenant's place"
            )
        try:
            re.compile(self.alphabet)
        except re.error as error:
            raise ConfigError(f"alphabet does not parse: {error}") from None
        if self.max_chars < 1:
            raise ConfigError(f"max_chars = {self.max_chars}: must be at least 1")
        if not 1 <= self.attempts <= _ATTEMPTS_MAX:
            raise ConfigError(f"attempts = {self.attempts}: must be from 1 to {_ATTEMPTS_MAX}")


def settings(context: Context, rules: Rules) -> tuple[str, dict[str, str]]:
    """The tenant, and every variable that the transaction sets, the tenant's first.

    Args:
        context: Whose transaction it is.
        rules: What is allowed.

    Raises:
        RlsError: No tenant, or a value that is not allowed; says which, and shows little of it.
    """
    tenant = _tenant(context, rules)
    found = {rules.tenant_variable: tenant}
    if context.user is not None:
        found[rules.user_variable] = _checked("user", context.user, rules)
    for name, value in context.variables.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise RlsError(
                f"variable {_shown(str(name))} was not set: a name needs a dot in it, such as "
                "'app.user_role'"
            )
        if name.lower() in {key.lower() for key in found}:
            raise RlsError(f"variable {name!r} was given twice: nothing was sent")
        found[name] = _text(f"the value of {name!r}", value, 16 * rules.max_chars)
    if rules.application_name and tenant:
        found["application_name"] = application_name(tenant)
    return tenant, found


def application_name(tenant: str) -> str:
    """A tenant as `application_name`: 63 bytes of printable ASCII, no two tenants alike.

    What does not fit, or is not printable ASCII, ends in `~` and 16 hexadecimal digits of the
    whole's SHA-256; so does a tenant that looks as if it did.

    Args:
        tenant: The tenant, as PostgreSQL's policies know it.
    """
    plain = tenant.isascii() and tenant.isprintable()
    if plain and len(tenant) <= APPLICATION_NAME_MAX_BYTES and not _DIGESTED.fullmatch(tenant):
        return tenant
    digest = hashlib.sha256(tenant.encode()).hexdigest()[:_DIGEST_CHARS]
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in tenant[:64])
    return f"{shown[: APPLICATION_NAME_MAX_BYTES - _DIGEST_CHARS - 1]}~{digest}"


def _tenant(context: Context, rules: Rules) -> str:
    tenant = context.tenant if context.tenant is not None else current_tenant()
    if tenant is None or tenant == "":
        if not rules.strict:
            return ""
        raise RlsError(
            "no tenant: give one, or use `with tenantmetrics.tenant(...)` around it; nothing was "
            "sent"
        )
    if not rules.uuid:
        return _checked("tenant", tenant, rules)
    try:
        return str(UUID(_text("tenant", tenant, rules.max_chars)))
    except ValueError:
        raise RlsError(f"tenant {_shown(tenant)} is not a UUID: nothing was sent") from None


def _checked(what: str, value: str, rules: Rules) -> str:
    text = _text(what, value, rules.max_chars)
    if not re.fullmatch(rules.alphabet, text):
        raise RlsError(
            f"{what} {_shown(text)} has characters that are not allowed (alphabet "
            f"{rules.alphabet!r}): nothing was sent"
        )
    return text


def _text(what: str, value: str, most: int) -> str:
    if not isinstance(value, str):
        raise RlsError(f"{what} must be a str, not {type(value).__name__}: convert it with str()")
    if len(value) > most:
        raise RlsError(f"{what} has {len(value):,} characters, {most:,} are allowed")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RlsError(f"{what} holds a lone surrogate, which is half a character") from None
    if "\0" in value:
        raise RlsError(f"{what} holds the character U+0000, which PostgreSQL cannot store")
    return value


def _shown(value: str) -> str:
    """The beginning of a value in ASCII: it may hold what turns a terminal's line around."""
    return ascii(value[:_SHOWN_CHARS]) + ("…" if len(value) > _SHOWN_CHARS else "")
