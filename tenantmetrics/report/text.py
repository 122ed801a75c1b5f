"""Numbers and names as text, the same in every format; files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from tenantmetrics.errors import ReportError

__all__ = ["duration", "guarded", "money", "percent", "unit_cost", "visible", "write_files"]

# Also behind white space and in full width: spreadsheets in East Asian locales take both.
_RUNS_AS_FORMULA = re.compile(r"[\s\x00]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")

# Control characters drive a terminal; bidirectional ones show a name other than it is.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

_STEPS = ((1e-3, "µs", 1e6), (1.0, "ms", 1e3), (120.0, "s", 1.0), (7200.0, "min", 1 / 60))


def money(amount: Decimal, quantum: Decimal) -> str:
    """An amount with thousands separators and the quantum's decimals: "1,234.50"."""
    # Adding nothing takes the sign off a zero.
    return f"{amount.quantize(quantum) + 0:,f}"


def unit_cost(amount: Decimal) -> str:
    """What one of something costs, in four digits or whole units: "0.0001234", "523,012"."""
    if not amount:
        return "0"
    places = Decimal(1).scaleb(min(0, amount.adjusted() - 3))
    return f"{amount.quantize(places).normalize():,f}"


def percent(share: Decimal) -> str:
    """A share from 0 to 1 as "12.3 %"."""
    return f"{share * 100:.1f} %"


def duration(nanoseconds: int) -> str:
    """A time in the unit that fits it: "350 ms", "12.5 s", "3.2 h"."""
    seconds = nanoseconds / 1e9
    for below, unit, factor in _STEPS:
        if seconds < below:
            value = seconds * factor
            return f"{value:.0f} {unit}" if value >= 100 or not value else f"{value:.1f} {unit}"  # noqa: PLR2004
    return f"{seconds / 3600:,.1f} h"


def guarded(text: str) -> str:
    """Text for a spreadsheet cell: what would run as a formula gets an apostrophe in front."""
    return f"'{text}" if _RUNS_AS_FORMULA.match(text) else text


def visible(text: str) -> str:
    """Text that cannot move a terminal's cursor or turn the direction of what follows."""
    return _UNSAFE.sub("\ufffd", text)


def write_files(files: Mapping[str | os.PathLike[str], str | bytes]) -> None:
    """Write files, each under a temporary name first and moved into place when all are complete.

    Args:
        files: Contents by path. Text is written as UTF-8 with its line ends as they are.

    Raises:
        ReportError: One cannot be written; then none of them was changed.
    """
    pairs: list[tuple[Path, Path]] = []
    try:
        for name, content in files.items():
            target = Path(name)
            if target.is_dir():
                raise ReportError(f"{os.fspath(name)!r} is a folder: name a file to write to")
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            pairs.append((temporary, target))
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        for temporary, target in pairs:
            temporary.replace(target)
    except OSError as error:
        raise ReportError(
            f"{os.fspath(pairs[-1][1])!r} cannot be written: {error.strerror}"
        ) from None
    finally:
        for temporary, _ in pairs:
            with contextlib.suppress(OSError):
                temporary.unlink()
