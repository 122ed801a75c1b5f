"""From the client's wall time to the server's own: the arithmetic, and nothing but arithmetic.

A call's wall time, less its waits between attempts, is overhead + server time. Overhead (HTTP, TLS,
the Data API's own work) does not depend on the tenant, given the writer, the cluster, the hour, the
bytes and whether the call had to open a connection. What is sought is each tenant's sum of server
time. The error is the spread of the overhead, so **means** are used: errors cancel, and shrink with
the square root of the calls. A low percentile would leave the spread with whoever calls often.

1. *Overhead* (`overhead`, `level`). Calls without work (BEGIN, set_config, SELECT 1, ROLLBACK) take
   nothing else. Calls with work are of another kind, and theirs may differ by some percent
   (`MISFIT`). How long a statement works is not known, but how such times are spread is: of a
   level of the overhead each kind of calls says how well it fits, and `f` is the mean over all
   levels, each by that. Without any call that does no work it is what the cheapest statements have
   in common. A statement that cannot be told from the overhead works next to nothing. Writers in
   several places have an offset each (`writers`), fitted to calls of the same kind. Overhead grows
   by a slope with the bytes (`slope`), which is fitted where statements differ enough in bytes.
   Within an hour it moves as that of calls without work does (`drift`).
2. *Residue*. Of a cell (tenant, statement, writer, hour): `r = wall - calls * f - bytes * slope`.
   Its expectation is the cell's server time, its variance that of one
   call's overhead times the calls. It may be negative, and
   must stay so until all is summed up: cutting cells at 0 would charge those who call often.
3. *The server's own number* (`load`), where there is one: of all statements (DBLoad), or of each
   (pg_stat_statements). What is above the metered calls' residues by more than chance is unmetered.
   The rest is what the statements are made to add up to. What the record has too much is taken
   from each by how little its own time is known, and what it has too little is given so: to long
   ones, which a busy machine keeps waiting, and to those that may be look-ups or not, before
   look-ups; to all by their calls as far as the overhead itself is not known.
4. *Division* (`divide`). In a group (a statement) the residues are corrected by one amount a call,
   so that they add up to the group's total, and each tenant's is drawn to the group's mean a call,
   as far as chance alone would explain the difference (James and Stein; DerSimonian and Laird's
   variance between tenants). Then max(0, ...), scaled to the total.
5. *Uncertainty* (`interval`). A tenant's share has a 95 % interval by the delta method: its own
   noise (z times the overhead's deviation times √calls), the others', and what moves several
   tenants at once, each by what it has of it: the error of `f`, of its writer's offset, of a
   statement's overhead beside that of calls without work, of what opening a connection adds, of a
   byte's price. Where the server's own numbers tell one of them, it is not in it.

`live` does the same from one window to the next, for the metric of load.
"""

from __future__ import annotations

from tenantmetrics.servertime.divide import Divided, Part, divide
from tenantmetrics.servertime.drift import FEWEST_CALLS, LONG_S, Drift, Stretches, drift
from tenantmetrics.servertime.interval import Common, Estimated, intervals
from tenantmetrics.servertime.level import Kind, Level, Work, level
from tenantmetrics.servertime.live import Cell, LiveLoad
from tenantmetrics.servertime.load import Metered, Verdict, metered
from tenantmetrics.servertime.moments import ENOUGH_CALLS, Moments
from tenantmetrics.servertime.overhead import (
    MISFIT,
    OPERATIONS_MISFIT,
    Overhead,
    OverheadSource,
    between,
    by_writer,
    overhead,
)
from tenantmetrics.servertime.slope import Slope, fit, upper_bound
from tenantmetrics.servertime.writers import Offset, offsets

__all__ = [
    "ENOUGH_CALLS",
    "FEWEST_CALLS",
    "LONG_S",
    "MISFIT",
    "OPERATIONS_MISFIT",
    "Cell",
    "Common",
    "Divided",
    "Drift",
    "Estimated",
    "Kind",
    "Level",
    "LiveLoad",
    "Metered",
    "Moments",
    "Offset",
    "Overhead",
    "OverheadSource",
    "Part",
    "Slope",
    "Stretches",
    "Verdict",
    "Work",
    "between",
    "by_writer",
    "divide",
    "drift",
    "fit",
    "intervals",
    "level",
    "metered",
    "offsets",
    "overhead",
    "upper_bound",
]
