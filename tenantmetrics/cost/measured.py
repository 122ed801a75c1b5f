"""What usage and capacity say of a period: of all clusters, and of each that a bill knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tenantmetrics.cost.bill import Bill
from tenantmetrics.cost.billed import billed_weights
from tenantmetrics.cost.capacity import Load, Weights
from tenantmetrics.cost.caveats import idle_words
from tenantmetrics.cost.cluster_names import ClusterNames, account_of
from tenantmetrics.cost.clusters import Matched, Part, match
from tenantmetrics.cost.drivers import Driver, driver_of
from tenantmetrics.cost.list_prices import Capacity, compute_weights
from tenantmetrics.cost.of_clusters import clusters_of_bill, clusters_of_capacity
from tenantmetrics.cost.request import AllocationRequest
from tenantmetrics.cost.server_time import ServerTime, estimate
from tenantmetrics.cost.sources.dispatch import UsageFolder
from tenantmetrics.cost.statement import Period
from tenantmetrics.cost.top_statements import TopStatement, top_statements
from tenantmetrics.cost.usage import HourUsage, LedgerUsage, TenantUsage
from tenantmetrics.errors import ReportError

__all__ = ["Measured", "sum_up"]

_TIME = {Driver.SERVER_TIME, Driver.WALL_TIME}


@dataclass(frozen=True, slots=True)
class Measured:
    """What the ledger and the capacity say of the period.

    `bill_notes` and `bill_draft` are of how the bill's charges and the clusters were matched.
    """

    hours: dict[int, HourUsage]
    tenants: Sequence[TenantUsage]
    clusters: Sequence[str]
    losses: dict[str, int]
    left_out: str
    copies: int
    idle_weights: Mapping[Driver, int]
    acu_hours: Decimal
    capacity_words: str
    idle_words: Mapping[Driver, str]
    notes: tuple[str, ...]
    server_time: ServerTime | None
    bill_notes: Sequence[str] = ()
    bill_draft: Sequence[str] = ()
    top: Mapping[str, tuple[TopStatement, ...]] | None = None


def sum_up(  # noqa: PLR0917 - one thing each
    usage: UsageFolder,
    period: Period,
    capacity: Capacity,
    paid: Bill | None,
    request: AllocationRequest,
    names: ClusterNames,
) -> tuple[Measured, list[tuple[Part, Measured]]]:
    """Sum up the usage, as a whole and for each part of the bill.

    Raises:
        LedgerError: The ledger cannot be read.
        ReportError: The bill and the usage are not of the same clusters or accounts.
    """
    with LedgerUsage(
        usage.folder, period, skip_corrupt=request.skip_corrupt, engine=request.engine
    ) as source:
        source.hours()
        clusters, notes = source.clusters(), list(usage.notes)
        kept = clusters_of_capacity(clusters, request.capacity)
        if paid is not None:
            kept = clusters_of_bill(kept, request.bill_filter)
        notes += _of_which(clusters, kept, is_billed=paid is not None)
        if len(kept) < len(clusters):
            source.keep(kept)
            source.hours()
        matched = Matched((), (), ())
        if paid is not None:
            _refuse_other_accounts(paid, kept, request)
            matched = match(paid, source.calls, names)
        all_of_it = next((p for p in matched.parts if set(p.clusters) == set(kept)), None)
        bill = paid
        if paid is not None and all_of_it is not None and "compute" in all_of_it.charges.pools:
            bill = paid.of(all_of_it.charges)
        whole = _measure(source, usage, period, capacity, bill, request)
        whole = replace(
            whole,
            clusters=kept,
            losses=source.losses(),
            left_out="; ".join(filter(None, (usage.left_out, source.describe_left_out()))),
            copies=source.copies,
            notes=tuple(notes),
            bill_notes=matched.notes,
            bill_draft=matched.draft,
            top=_top(source, period, request),
        )
        parts = []
        for part in matched.parts:
            assert paid is not None  # noqa: S101 - parts are a bill's
            same = set(part.clusters) == set(kept)
            if same and (part is all_of_it or not _has_time(part, request)):
                parts.append((part, whole))
                continue
            of_part = source if same else source.only(part.clusters)
            if not part.clusters:
                parts.append((part, _nothing()))
                continue
            found = _measure(
                of_part, usage, period, capacity, paid.of(part.charges), request,
                needs_time=_has_time(part, request), others=clusters,
            )  # fmt: skip
            parts.append((part, found))
        return whole, parts


def _top(
    source: LedgerUsage, period: Period, request: AllocationRequest
) -> Mapping[str, tuple[TopStatement, ...]] | None:
    most = request.top_statements
    if not most:
        return None
    return top_statements(source.opened, period, most, request.top_statements_of)


def _nothing() -> Measured:
    return Measured({}, (), (), {}, "", 0, {}, Decimal(0), "", {}, (), None)


def _has_time(part: Part, request: AllocationRequest) -> bool:
    return any(driver_of(pool, request.chosen) in _TIME for pool in part.charges.pools)


def _refuse_other_accounts(paid: Bill, clusters: Sequence[str], request: AllocationRequest) -> None:
    """A bill of accounts that no cluster's ARN names is another's."""
    if request.bill_filter is not None and request.bill_filter.account:
        return
    called = {account for arn in clusters if (account := account_of(arn))}
    if called and paid.accounts and not called & paid.accounts:
        raise ReportError(
            f"the bill's Aurora charges are of account {', '.join(sorted(paid.accounts))} and the "
            f"usage is of {', '.join(sorted(called))}: name the bill's account if they belong "
            "together all the same"
        ).about("bill_account")


def _measure(  # noqa: PLR0917 - as sum_up
    source: LedgerUsage,
    usage: UsageFolder,
    period: Period,
    capacity: Capacity,
    paid: Bill | None,
    request: AllocationRequest,
    *,
    needs_time: bool = True,
    others: Collection[str] = (),
) -> Measured:
    """Hours first, because they decide what a nanosecond weighs."""
    hours = source.hours() if source.clusters() or needs_time else {}
    if not needs_time:
        tenants = source.tenants({}, {})
        return replace(_nothing(), hours=hours, tenants=tenants, clusters=source.clusters())
    weighed: dict[Driver, Weights] = {}
    estimated = None
    wall_ns = {hour: one.duration_ns for hour, one in hours.items()}
    acu_hours, words = Decimal(0), ""
    if request.divides_by(Driver.SERVER_TIME):
        estimated = estimate(
            source.opened,
            usage.folder,
            period,
            hours,
            request.source,
            writers=source.writers,
            others=others,
        )
        spent_ns = {hour: one.total_ns for hour, one in estimated.hours.items()}
        load = Load(spent_ns, estimated.told_hours, frozenset(spent_ns.keys() - hours))
        weights, acu_hours, words = _weights(capacity, paid, load, period)
        weighed[Driver.SERVER_TIME] = weights
    if not weighed or request.divides_by(Driver.WALL_TIME):
        weights, acu_hours, words = _weights(capacity, paid, Load(wall_ns), period)
        weighed[Driver.WALL_TIME] = weights
    by_server = weighed[Driver.SERVER_TIME].factors if estimated else {}
    net = estimated.usage_hours if estimated else frozenset[int]()
    tenants = source.tenants(
        _wall_factors(weighed, hours if net else ()),
        {hour: factor for hour, factor in by_server.items() if hour in net},
    )
    found = None
    if estimated is not None:
        found = ServerTime(
            asked=request.source,
            metered_hours=len(hours),
            tenants=estimated.tenants(by_server, tenants),
            methods=estimated.methods,
            # Load at a time of no known capacity, and of no calls, is on no line.
            unmetered_ns=sum(
                one.unmetered_ns
                for hour, one in estimated.hours.items()
                if hour in hours or by_server.get(hour)
            ),
            unmetered_weight=sum(
                int(one.unmetered_ns * by_server.get(hour, 0.0))
                for hour, one in estimated.hours.items()
            ),
            notes=estimated.notes,
        )
    return replace(
        _nothing(),
        hours=hours,
        tenants=tenants,
        clusters=source.clusters(),
        idle_weights={driver: weights.idle for driver, weights in weighed.items()},
        acu_hours=acu_hours,
        capacity_words=words,
        idle_words={driver: idle_words(weights.by) for driver, weights in weighed.items()},
        server_time=found,
    )


def _of_which(clusters: Sequence[str], kept: Sequence[str], *, is_billed: bool) -> Iterator[str]:
    """What a bill or a capacity of some clusters means for usage of others."""
    what = "the bill's" if is_billed else "the capacity's"
    if left := sorted(set(clusters) - set(kept)):
        yield f"Usage of other clusters than {what} is left out: {', '.join(left)}."
    if len(kept) > 1 and not is_billed:
        yield (
            f"The usage is of {len(kept)} clusters, whose capacity is divided as if they were "
            f"one: {', '.join(kept)}."
        )
    if is_billed and kept == [""]:
        yield (
            "The usage names no cluster: that the bill is of the same one cannot be told, and its "
            "cluster should be named."
        )


def _wall_factors(weighed: Mapping[Driver, Weights], hours: Iterable[int]) -> dict[int, float]:
    """What wall time weighs by hour; nothing where no pool is divided by it."""
    weights = weighed.get(Driver.WALL_TIME)
    return dict.fromkeys(hours, 0.0) if weights is None else weights.factors


def _weights(
    capacity: Capacity, paid: Bill | None, load: Load, period: Period
) -> tuple[Weights, Decimal, str]:
    """What a nanosecond weighs by hour, the ACU-hours, and how they came about in words."""
    if paid is None:
        return compute_weights(capacity, load, period)
    weights, words = billed_weights(paid, capacity.hourly, load, period.hours)
    return weights, Decimal(0), words
