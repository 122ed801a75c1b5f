"""The overhead that many kinds of calls have in common, whatever each of them works.

A kind's mean wall time is the overhead and its server time, which is not known. What is known is
how such times are spread: most statements that are called often are look-ups by a key, which take
next to nothing; the others take anything up to ten seconds, each order of magnitude as likely as
the next. Of a level of the overhead every kind then says how well it fits: below the level it
cannot be but by chance; many that lie together just above it are look-ups, for longer times do not
come out alike by accident; one that lies alone says little. Calls without work say most, as far as
their overhead is that of the others.

The level is the mean over all that are possible, each by how well everything fits (Bayes' rule),
and so is what a kind works: one that cannot be told from the overhead works next to nothing, and
not what chance left it above or below.

That the cheapest statements are look-ups is likely and not certain: then the level is what calls
without work say alone. How likely that is, is told by how far the cheapest lie above those. All of
them are one witness, not many: what keeps one statement of an application from being quick keeps
the others. Errors are by a larger doubt than means, so that intervals hold both readings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Kind", "Level", "Work", "level"]

_LOOK_UPS = 0.8
"""The part of the statements that are look-ups by a key."""
_LOOK_UP_NS = 150_000.0
"""What one takes: 0.02 ms (parsing and planning) to 0.5 ms, each as likely as its double. An
indexed look-up runs for 0.05 ms from memory."""
_LONGER_NS = 500_000.0
_LONGEST_NS = 10e9
"""The others take from and to so much; the Data API stops a statement at 45 s."""
_RANGE = math.log(_LONGEST_NS / _LONGER_NS)
_POINTS = 64
"""Levels that are looked at: first all that are possible, then those that are likely."""
_KEPT = 20
"""Levels that are kept, about: each as likely as the others."""
_LOWEST = 0.2
"""The lowest level looked at, as a part of the lowest mean."""
_WIDE = 5.0
"""Errors on each side up to which levels are looked at."""
_DOUBT = 0.25
"""How likely even the cheapest statements are no look-ups, before anything is known of them: those
of a database that reads all from disk, say."""
_UNLIKELY = 1e-6
"""Levels that are less likely than that, beside the likeliest, are left out."""
_CLEAR = 6.0
"""Errors above the overhead from which on a kind's work is what it took beyond it."""
_NORMAL = math.sqrt(2 * math.pi)


class Kind(NamedTuple):
    """A kind of calls.

    Attributes:
        mean_ns: Their mean wall time.
        error_ns: The standard error of that.
        misfit: How far their overhead may be from the others', as a part of it; a deviation.
        works: Whether they may take server time.
        longer: What `misfit` is if they work for as long as their mean lies above the overhead;
            None if it is the same.
    """

    mean_ns: float
    error_ns: float
    misfit: float
    works: bool = True
    longer: float | None = None


class Work(NamedTuple):
    """What a call of a kind works.

    Attributes:
        server_ns: Its server time, nanoseconds.
        error_ns: The standard error of that but for what the level's moves it.
        moved: How much less it is if the level is a nanosecond higher, 0 to 1.
    """

    server_ns: float
    error_ns: float
    moved: float


class Level(NamedTuple):
    """The common overhead.

    Attributes:
        mean_ns: What it is, nanoseconds.
        error_ns: The standard error of that.
        possible: Levels, and how likely each is; adds up to 1.
        feared: The same with the larger doubt that errors are by; None if there is none.
    """

    mean_ns: float
    error_ns: float
    possible: Sequence[tuple[float, float]]
    feared: Sequence[tuple[float, float]] | None = None

    def work(self, kind: Kind) -> Work:
        """What a call of a kind works, whether the level was found by it or not."""
        error = _longer_error(kind, self.mean_ns)
        above = kind.mean_ns - self.mean_ns
        if not kind.works:
            return Work(0.0, 0.0, 0.0)
        if above > _CLEAR * math.hypot(error, self.error_ns):
            return Work(above, error, 1.0)
        mean = math.fsum(weight * _moments(kind, at)[0] for at, weight in self.possible)
        square = together = 0.0
        for at, weight in self.feared or self.possible:
            work, work2 = _moments(kind, at)
            square += weight * (work2 - 2 * work * mean + mean * mean)
            together += weight * (work - mean) * (at - self.mean_ns)
        moved = min(1.0, max(0.0, -together / self.error_ns**2)) if self.error_ns else 1.0
        own = square - (moved * self.error_ns) ** 2
        return Work(mean, math.sqrt(max(0.0, own)), moved)

    def is_cheap(self, kind: Kind) -> float:
        """How likely a kind works next to nothing, 0 to 1."""
        short, *longer = _densities(kind, self.mean_ns)
        return short / whole if (whole := short + math.fsum(longer)) > 0 else 0.0


def level(kinds: Sequence[Kind], sure: Sequence[Kind] = ()) -> Level:
    """Find the overhead that the kinds have in common.

    Args:
        kinds: One or more, each with a mean above 0.
        sure: Those of them that do no work.
    """
    if len(sure) == len(kinds):
        return _alone(sure)
    lowest = min(kinds, key=lambda kind: kind.mean_ns + 2 * _error(kind, kind.mean_ns))
    top = lowest.mean_ns + _WIDE * _error(lowest, lowest.mean_ns)
    bottom = _LOWEST * lowest.mean_ns
    found = _near(kinds, bottom, top)
    if not sure:
        return found
    alone = _alone(sure)
    likely = _mixed(found, alone, _none_quick(found, alone))
    # The less the two agree, the more is to be feared that the unlikely one is true.
    apart = abs(found.mean_ns - alone.mean_ns) / (2 * alone.error_ns)
    feared = _mixed(found, alone, _DOUBT * (1 + min(1.0, apart))).possible
    away2 = math.fsum(weight * (at - likely.mean_ns) ** 2 for at, weight in feared)
    return Level(likely.mean_ns, math.sqrt(away2), likely.possible, feared)


def _mixed(found: Level, alone: Level, doubt: float) -> Level:
    """Both readings, the second to so large a part."""
    both = [(at, (1 - doubt) * weight) for at, weight in found.possible]
    both += [(at, doubt * weight) for at, weight in alone.possible]
    return _of([point for point in both if point[1] > 0])


def _none_quick(found: Level, alone: Level) -> float:
    """How likely the cheapest statements are no look-ups, 0 to 1.

    Args:
        found: The level if they are.
        alone: What calls without work say.
    """
    above = found.mean_ns - alone.mean_ns
    error = math.hypot(found.error_ns, alone.error_ns)
    quick = (1 - _DOUBT) * _normal(above / error) / error
    longest = max(_LONGER_NS, error, above)
    longer = _DOUBT * _beyond((_LONGER_NS - above) / error) / (_RANGE * longest)
    return longer / both if (both := quick + longer) > 0 else 0.0


def _alone(sure: Sequence[Kind]) -> Level:
    """What calls without work say, each kind by its precision; an error that is normal."""
    known = [1 / _error(kind, kind.mean_ns) ** 2 for kind in sure]
    mean = math.fsum(w * kind.mean_ns for w, kind in zip(known, sure, strict=True)) / sum(known)
    error = 1 / math.sqrt(math.fsum(known))
    steps = [_WIDE * (2 * (n + 0.5) / _POINTS - 1) for n in range(_POINTS)]
    return _of([(mean + step * error, _normal(step)) for step in steps])


def _near(kinds: Sequence[Kind], bottom: float, top: float) -> Level:
    """Where most levels cannot be, those that can are looked at once more."""
    first = _between(kinds, bottom, top)
    reach = _WIDE * first.error_ns + (top - bottom) / _POINTS
    return _between(kinds, max(first.mean_ns - reach, bottom), min(first.mean_ns + reach, top))


def _between(kinds: Sequence[Kind], bottom: float, top: float) -> Level:
    levels = [bottom + (top - bottom) * (n + 0.5) / _POINTS for n in range(_POINTS)]
    fits = [
        math.fsum(math.log(_density(kind, at)) for kind in kinds) - math.log(at) for at in levels
    ]
    best = max(fits)
    weights = [math.exp(fit - best) for fit in fits]
    return _of([point for point in zip(levels, weights, strict=True) if point[1] > _UNLIKELY])


def _of(weights: Sequence[tuple[float, float]]) -> Level:
    whole = math.fsum(weight for _, weight in weights)
    mean = math.fsum(weight * at for at, weight in weights) / whole
    variance = math.fsum(weight * (at - mean) ** 2 for at, weight in weights) / whole
    possible: list[tuple[float, float]] = []
    for at, weight in sorted(weights):
        part = weight / whole
        before, so_far = possible[-1] if possible else (0.0, 1.0)
        if so_far + part > 1 / _KEPT:
            possible.append((at, part))
        else:
            # What lies close together and is unlikely is one: a statement is held against each.
            both = so_far + part
            possible[-1] = ((before * so_far + at * part) / both, both)
    return Level(mean, math.sqrt(variance), possible)


def _error(kind: Kind, at: float) -> float:
    """How far a kind's mean may be from the overhead and its server time, which is next to none."""
    return max(1.0, math.hypot(kind.error_ns, kind.misfit * at))


def _longer_error(kind: Kind, at: float) -> float:
    """The same if it works for as long as its mean lies above the overhead."""
    misfit = kind.misfit if kind.longer is None else kind.longer
    return max(1.0, math.hypot(kind.error_ns, misfit * at))


def _density(kind: Kind, at: float) -> float:
    """How likely a kind has such a mean, if the overhead is at that level."""
    # A kind that fits nowhere, such as calls of another sort, must not decide alone.
    return math.fsum(_densities(kind, at)) + 1e-6 / max(1.0, kind.mean_ns)


def _densities(kind: Kind, at: float) -> tuple[float, float, float]:
    """The same in parts: a look-up; longer, but less than can be told; longer than that."""
    error = _error(kind, at)
    above = kind.mean_ns - at
    if not kind.works:
        return _normal(above / error) / error, 0.0, 0.0
    told = max(_LONGER_NS, error)
    between, typical, _ = _untold(told)
    beyond = _beyond((told - above) / _longer_error(kind, at))
    return (
        _LOOK_UPS * _normal((above - _LOOK_UP_NS) / error) / error,
        (1 - _LOOK_UPS) * between * _normal((above - typical) / error) / error,
        (1 - _LOOK_UPS) * beyond / (_RANGE * max(told, above)),
    )


def _untold(told: float) -> tuple[float, float, float]:
    """Of the longer times: the part below what can be told, its mean, and that of its squares."""
    if told <= _LONGER_NS:
        return 0.0, _LONGER_NS, _LONGER_NS**2
    width = math.log(told / _LONGER_NS)
    return (
        min(1.0, width / _RANGE),
        (told - _LONGER_NS) / width,
        (told**2 - _LONGER_NS**2) / 2 / width,
    )


def _moments(kind: Kind, at: float) -> tuple[float, float]:
    """The mean of what a kind works, and of its square, if the overhead is at that level."""
    error = _error(kind, at)
    short, middle, long = _densities(kind, at)
    whole = short + middle + long
    if whole <= 0:
        return _LOOK_UP_NS, _LOOK_UP_NS**2
    told = max(_LONGER_NS, error)
    _, typical, typical2 = _untold(told)
    above, error = kind.mean_ns - at, _longer_error(kind, at)
    # Longer times are less likely by as much as they are longer: that draws a mean down a little.
    center = above - error * error / max(above, error)
    cut = (told - center) / error
    hazard = _normal(cut) / _beyond(cut) if cut < _CLEAR else cut + 1 / cut
    mean = center + error * hazard
    spread = error * error * max(0.0, 1 + cut * hazard - hazard * hazard)
    return (
        (short * _LOOK_UP_NS + middle * typical + long * mean) / whole,
        (short * _LOOK_UP_NS**2 + middle * typical2 + long * (mean * mean + spread)) / whole,
    )


def _normal(away: float) -> float:
    return math.exp(-0.5 * away * away) / _NORMAL


def _beyond(away: float) -> float:
    return 0.5 * math.erfc(away / math.sqrt(2))
