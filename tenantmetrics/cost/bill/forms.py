"""The forms of bill files: which column says what, in SQL over `Table`'s view."""

from __future__ import annotations

from dataclasses import dataclass

from tenantmetrics.cost.bill.table import Table
from tenantmetrics.errors import ReportError

__all__ = ["Form", "form_of"]


_UNKNOWN = "CAST(NULL AS DECIMAL(38, 18))"


@dataclass(frozen=True, slots=True)
class Form:
    """SQL expressions over the view `bill`; all but the two numbers are texts.

    `amount` counts commitments as was asked for and `other` the other way, NULL where that is not
    known. `listed` and `contracted` are the same at list prices and at agreed ones, NULL where the
    file has no such column. `identity` is what makes a charge the same in two exports; `start` and
    `end` are the charge's. `corrects` is whether it corrects an earlier one.
    """

    name: str
    amount: str
    other: str
    quantity: str
    kind: str
    usage_type: str
    account: str
    payer: str
    resource: str
    region: str
    currency: str
    billing_month: str
    start: str
    end: str
    identity: str
    tags: str
    service: str
    engine: str
    operation: str
    invoice: str | None
    provider: str = "''"
    listed: str = _UNKNOWN
    contracted: str = _UNKNOWN
    corrects: str = "FALSE"
    has_usage_types: bool = True


def form_of(table: Table, *, amortized: bool) -> Form:
    """The form of a table's files.

    Args:
        table: The files.
        amortized: Whether commitments count when they are used rather than when they are paid.

    Raises:
        ReportError: They are neither CUR nor FOCUS, or lack a column, or hold a wrong amount.
    """
    if table.has("line_item_unblended_cost"):
        return _cur(table, amortized=amortized)
    if table.has("BilledCost"):
        return _focus(table, amortized=amortized)
    raise ReportError(
        f"{str(table.paths[0])!r} is neither CUR (column line_item_unblended_cost is missing) "
        "nor FOCUS (column BilledCost is missing)"
    )


def _cur(table: Table, *, amortized: bool) -> Form:
    table.require(
        "line_item_line_item_type", "line_item_usage_type", "line_item_currency_code",
        "bill_billing_period_start_date", "line_item_usage_start_date",
    )  # fmt: skip
    paid = table.amount("line_item_unblended_cost")
    used = _amortized(table, paid, is_asked=amortized)
    amount, other = (used, paid) if amortized else (paid, used)
    identity = table.text("identity_line_item_id")
    region = f"coalesce(nullif({table.text('product_region_code')}, ''), {{}})"
    return Form(
        name="CUR",
        amount=amount,
        other=other,
        quantity=table.amount("line_item_usage_amount", optional=True),
        kind=table.text("line_item_line_item_type"),
        usage_type=table.text("line_item_usage_type"),
        account=table.text("line_item_usage_account_id"),
        payer=table.text("bill_payer_account_id"),
        resource=table.text("line_item_resource_id"),
        region=region.format(table.text("product_region")),
        currency=table.text("line_item_currency_code"),
        billing_month=table.month("bill_billing_period_start_date"),
        start=table.moment("line_item_usage_start_date"),
        end=table.moment("line_item_usage_end_date"),
        identity=f"{identity} || ' ' || {table.text('identity_time_interval')}",
        tags="resource_tags",
        service=table.text("line_item_product_code"),
        engine=table.text("product_database_engine"),
        operation=table.text("line_item_operation"),
        invoice=table.text("bill_invoice_id") if table.has("bill_invoice_id") else None,
        listed=_listed_of_cur(table, paid if used == _UNKNOWN else used),
    )


_EFFECTIVE = (
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "reservation_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
)
_NEEDED = {
    "savings_plan_savings_plan_effective_cost": "SavingsPlanCoveredUsage",
    "reservation_effective_cost": "DiscountedUsage",
}
"""Columns of what commitments cost when they are used, and the line item types that need them."""


def _amortized(table: Table, paid: str, *, is_asked: bool) -> str:
    """What a CUR's charges cost where commitments count when they are used, not when paid.

    What was paid ahead counts where it was used; what went unused stays on its fee's line.
    (AWS Well-Architected Labs, CUR query library, amortized cost)

    Args:
        table: The files.
        paid: SQL of what was billed.
        is_asked: Whether the report cannot do without.

    Returns:
        SQL; NULL where it is not known.

    Raises:
        ReportError: It is asked for, and charges were paid ahead whose cost no column tells.
    """
    kind = table.text("line_item_line_item_type")
    lacking = [column for column in _NEEDED if not table.has(column)]
    if not is_asked and len(lacking) == len(_NEEDED):
        return _UNKNOWN
    for column in lacking:
        of = f"SELECT 1 FROM bill WHERE {kind} = '{_NEEDED[column]}' LIMIT 1"  # noqa: S608
        if table.query(of):
            if not is_asked:
                return _UNKNOWN
            table.require(column)
    plan, committed, spent, reserved, upfront, recurring = (
        table.amount(column, optional=True) for column in _EFFECTIVE
    )
    reservation = table.text("reservation_reservation_a_r_n")
    return (
        f"CASE {kind} WHEN 'SavingsPlanCoveredUsage' THEN {plan} "
        f"WHEN 'SavingsPlanRecurringFee' THEN {committed} - {spent} "
        "WHEN 'SavingsPlanNegation' THEN 0 WHEN 'SavingsPlanUpfrontFee' THEN 0 "
        f"WHEN 'DiscountedUsage' THEN {reserved} WHEN 'RIFee' THEN {upfront} + {recurring} "
        f"ELSE CASE WHEN {kind} = 'Fee' AND {reservation} <> '' THEN 0 ELSE {paid} END END"
    )


def _listed_of_cur(table: Table, effective: str) -> str:
    """SQL of what usage costs on demand; what is no usage costs what it costs.

    Agreed prices are not in a CUR: what is billed has them, and commitments, in it.
    """
    kind = table.text("line_item_line_item_type")
    return _or_effective(
        table, "pricing_public_on_demand_cost", effective, f"{kind} IN ({_USAGE_OF_CUR})"
    )


_USAGE_OF_CUR = "'Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage'"


def _or_effective(table: Table, column: str, effective: str, where: str = "TRUE") -> str:
    """SQL of a column's cost, or the effective one where it says none; NULL without the column."""
    if not table.has(column):
        return _UNKNOWN
    amount = table.amount(column, optional=True)
    return f"CASE WHEN {where} AND {table.text(column)} <> '' THEN {amount} ELSE {effective} END"


def _focus(table: Table, *, amortized: bool) -> Form:
    table.require("ChargeCategory", "BillingCurrency", "BillingPeriodStart", "ChargePeriodStart")
    effective = table.amount(
        "EffectiveCost" if table.has("EffectiveCost") else "BilledCost", optional=True
    )
    # AWS adds the usage type as a column of its own; others have it as the meter at best.
    meter, added = table.text("SkuMeter"), table.text("x_UsageType")
    return Form(
        name="FOCUS",
        amount=table.amount("EffectiveCost" if amortized else "BilledCost"),
        other=_other_of_focus(table, "BilledCost" if amortized else "EffectiveCost"),
        quantity=table.amount("ConsumedQuantity", optional=True),
        kind=table.text("ChargeCategory"),
        usage_type=f"coalesce(nullif({added}, ''), {meter})",
        account=table.text("SubAccountId"),
        payer=table.text("BillingAccountId"),
        resource=table.text("ResourceId"),
        region=table.text("RegionId"),
        currency=table.text("BillingCurrency"),
        billing_month=table.month("BillingPeriodStart"),
        start=table.moment("ChargePeriodStart"),
        end=table.moment("ChargePeriodEnd"),
        # FOCUS has no identity of a charge: the whole row is it.
        identity=f"hash({', '.join(table.text(column) for column in sorted(table.columns))})",
        tags="Tags",
        service=table.text("ServiceName"),
        engine="''",
        operation=table.text("x_Operation"),
        invoice=_invoice_of_focus(table),
        # FOCUS 1.3 renamed the column.
        provider=f"coalesce(nullif({table.text('ProviderName')}, ''), "
        f"{table.text('ServiceProviderName')})",
        listed=_or_effective(table, "ListCost", effective),
        contracted=_or_effective(table, "ContractedCost", effective),
        corrects=f"lower({table.text('ChargeClass')}) = 'correction'",
        has_usage_types=table.has("SkuMeter") or table.has("x_UsageType"),
    )


def _other_of_focus(table: Table, column: str) -> str:
    """The cost that is not divided; an older or foreign file may lack it."""
    return table.amount(column, optional=True) if table.has(column) else _UNKNOWN


def _invoice_of_focus(table: Table) -> str | None:
    """SQL of a charge's invoice, "" where it has none yet; None where the file cannot tell."""
    invoice = table.text("InvoiceId") if table.has("InvoiceId") else None
    for name in ("BillingPeriodStatus", "x_BillingPeriodStatus"):
        if table.has(name):
            known = invoice or "CAST(NULL AS VARCHAR)"
            return f"CASE WHEN lower({table.text(name)}) = 'open' THEN '' ELSE {known} END"
    return invoice
