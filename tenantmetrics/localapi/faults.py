"""Failures on demand: the errors, delays and broken connections that AWS produces at will.

`OVERHEAD` is not a failure but the time of a call on AWS that is not the database's (network, TLS,
the service itself), log-normal as measured ones are. It is added before the statement runs, outside
any connection to PostgreSQL, and beside whatever else strikes the call.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from tenantmetrics.dataapi.errors import STATUS, ApiError
from tenantmetrics.dataapi.operations import OPERATIONS
from tenantmetrics.errors import LocalApiError

__all__ = ["CUT", "OVERHEAD", "SLOW", "Fault", "FaultPlan"]

SLOW = "slow"
CUT = "cut"
OVERHEAD = "overhead"
_ANSWERED = (SLOW, OVERHEAD)
_P99_DEVIATIONS = NormalDist().inv_cdf(0.99)
_ALIASES = {"timeout": "StatementTimeoutException"}
_TEXT = {
    "DatabaseResumingException": "The Aurora DB instance is resuming after being auto-paused. "
    "Please wait a few seconds and try again.",
    "ThrottlingException": "Rate exceeded",
    "DatabaseUnavailableException": "The database is unavailable.",
    "InternalServerErrorException": "An internal error occurred.",
    "StatementTimeoutException": "Request timed out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of failure to inject.

    Attributes:
        kind: An error code of the Data API ("ThrottlingException"), `SLOW`, `OVERHEAD`, or `CUT`:
            the statement is not run and the connection is closed without an answer.
        operation: The operation it strikes ("ExecuteStatement"), or "*" for all.
        rate: Probability a call, 0 to 1.
        count: Strikes at most this often; None without end.
        after: Lets this many matching calls pass first.
        delay_s: Seconds that a call waits first, with any kind.
        status: HTTP status; None for the code's own.
        message: Text of the error; None for the usual one.
        median_s: Seconds that half of the calls wait less than; `OVERHEAD` only.
        p99_s: Seconds that 99 of 100 calls wait less than; None: all wait `median_s`.
    """

    kind: str
    operation: str = "*"
    rate: float = 1.0
    count: int | None = None
    after: int = 0
    delay_s: float = 0.0
    status: int | None = None
    message: str | None = None
    median_s: float | None = None
    p99_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what could never strike."""
        object.__setattr__(self, "kind", _ALIASES.get(self.kind, self.kind))
        if self.kind not in STATUS and self.kind not in (*_ANSWERED, CUT):
            known = ", ".join([*sorted(STATUS), *_ANSWERED, CUT, *_ALIASES])
            raise LocalApiError(f"unknown fault {self.kind!r}: known are {known}")
        if self.operation != "*" and self.operation not in OPERATIONS:
            known = ", ".join(sorted(OPERATIONS))
            raise LocalApiError(f"unknown operation {self.operation!r} in a fault: * or {known}")
        if not 0 <= self.rate <= 1:
            raise LocalApiError(f"fault rate {self.rate!r}: must be between 0 and 1")
        if not 0 <= self.delay_s < math.inf or (self.count or 0) < 0 or self.after < 0:
            raise LocalApiError("delay, count and after of a fault must be finite and not negative")
        if self.kind == SLOW and not self.delay_s:
            raise LocalApiError("a slow fault needs its delay in seconds: slow:delay=0.5")
        self._check_overhead()

    def _check_overhead(self) -> None:
        """Refuse a distribution that is none."""
        if self.kind != OVERHEAD:
            if self.median_s is not None or self.p99_s is not None:
                raise LocalApiError(f"median and p99 are settings of {OVERHEAD}, not {self.kind}")
            return
        if self.median_s is None or not 0 < self.median_s < math.inf:
            raise LocalApiError(
                "an overhead needs its median in seconds: overhead:median=0.02:p99=0.08"
            )
        if self.p99_s is not None and not self.median_s <= self.p99_s < math.inf:
            raise LocalApiError("the p99 of an overhead must be finite and at least its median")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `[OPERATION:]KIND[:name=value…]`, as `--fault` takes it.

        Args:
            text: For example `ExecuteStatement:ThrottlingException:rate=0.1` or `slow:delay=0.5`.

        Raises:
            LocalApiError: It does not parse.
        """
        parts = [part.strip() for part in text.split(":")]
        settings = [part for part in parts if "=" in part]
        heads = [part for part in parts if "=" not in part]
        if not 1 <= len(heads) <= 2:  # noqa: PLR2004 - operation and kind
            raise LocalApiError(f"fault {text!r}: write [OPERATION:]KIND[:rate=R][:count=N]")
        values: dict[str, float | int | str] = {}
        for setting in settings:
            name, value = setting.split("=", 1)
            try:
                if name == "rate":
                    values["rate"] = float(value)
                elif name.removesuffix("_s") in ("delay", "median", "p99"):
                    values[f"{name.removesuffix('_s')}_s"] = float(value)
                elif name in ("count", "after", "status"):
                    values[name] = int(value)
                elif name == "message":
                    values["message"] = value
                else:
                    raise LocalApiError(
                        f"fault {text!r}: unknown setting {name!r}; known are rate, count, after,"
                        " delay, status, message, median, p99",
                    )
            except ValueError:
                raise LocalApiError(f"fault {text!r}: {name} is not a number") from None
        operation = heads[0] if len(heads) == 2 else "*"  # noqa: PLR2004
        return cls(kind=heads[-1], operation=operation, **values)  # type: ignore[arg-type]

    def error(self) -> ApiError | None:
        """The error it answers with, if that is what it does."""
        if self.kind in (*_ANSWERED, CUT):
            return None
        message = self.message if self.message is not None else _TEXT.get(self.kind, "Injected")
        return ApiError(self.kind, message, status=self.status)

    def draw_overhead_s(self, rng: random.Random) -> float:
        """Seconds of one call's overhead, from the distribution; 0 for other kinds."""
        if self.median_s is None:
            return 0.0
        spread = math.log((self.p99_s or self.median_s) / self.median_s) / _P99_DEVIATIONS
        return self.delay_s + self.median_s * math.exp(rng.gauss(0.0, spread))


class FaultPlan:
    """The faults in force; may be changed from any thread while the endpoint runs.

    Args:
        faults: In order; the first that strikes is taken.
        seed: Seed of the random numbers behind `rate` and `OVERHEAD`, for runs that repeat.
    """

    def __init__(self, faults: Iterable[Fault | str] = (), seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - no secret
        # Of its own, so that an overhead changes nothing in which calls the others strike.
        self._overhead = random.Random(seed)  # noqa: S311
        self._faults: list[Fault] = []
        self._seen: list[int] = []
        self._struck: list[int] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault | str) -> None:
        """Put a fault in force; a string is read by `Fault.parse`."""
        parsed = Fault.parse(fault) if isinstance(fault, str) else fault
        with self._lock:
            self._faults.append(parsed)
            self._seen.append(0)
            self._struck.append(0)

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._faults, self._seen, self._struck = [], [], []

    def pick(self, operation: str) -> Fault | None:
        """The fault that strikes this call, if any, and count it; never an overhead."""
        if not self._faults:
            return None
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.kind != OVERHEAD and self._strikes(index, operation, self._random):
                    return fault
        return None

    def overhead_s(self, operation: str) -> float:
        """Seconds of overhead that this call has, of all overheads in force that strike it."""
        if not self._faults:
            return 0.0
        with self._lock:
            return sum(
                fault.draw_overhead_s(self._overhead)
                for index, fault in enumerate(self._faults)
                if fault.kind == OVERHEAD and self._strikes(index, operation, self._overhead)
            )

    def _strikes(self, index: int, operation: str, rng: random.Random) -> bool:
        """Whether a fault strikes this call; counts the call, and the strike."""
        fault = self._faults[index]
        if fault.operation not in ("*", operation):
            return False
        self._seen[index] += 1
        if self._seen[index] <= fault.after:
            return False
        if fault.count is not None and self._struck[index] >= fault.count:
            return False
        if fault.rate < 1 and rng.random() >= fault.rate:
            return False
        self._struck[index] += 1
        return True

    def struck(self) -> int:
        """How often the faults in force have struck."""
        with self._lock:
            return sum(self._struck)
