"""In what unit each provider takes an amount.

Stripe (https://docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies",
"Special cases"; https://support.stripe.com/questions/deprecation-of-fractional-isk-charges-and-refunds):
the smallest coin, but three-decimal currencies end in 0, and krónur are given as if they had two
decimals. The others take the currency's smallest coin.
"""

from __future__ import annotations

from tenantmetrics.cost.precision import smallest_coin
from tenantmetrics.errors import ReportError
from tenantmetrics.report.invoices.records import Unit

__all__ = ["coins", "stripe"]

_ZERO_DECIMAL = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "JPY",
        "KMF",
        "KRW",
        "MGA",
        "PYG",
        "RWF",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
_THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])


def coins(currency: str) -> Unit:
    """The currency's smallest coin."""
    exponent = smallest_coin(currency).as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - a power of ten, never NaN
    return Unit(-exponent)


def stripe(currency: str) -> Unit:
    """Stripe's unit.

    Raises:
        ReportError: Stripe's own pages disagree on it, or do not have it.
    """
    if currency in _ZERO_DECIMAL:
        return Unit(0)
    if currency in _THREE_DECIMAL:
        return Unit(3, 10)
    if currency == "ISK":
        return Unit(2, 100)
    if coins(currency).exponent != 2 or currency == "UGX":  # noqa: PLR2004 - cents
        raise ReportError(
            f"{currency} cannot be exported to Stripe: its pages do not say how many units of it "
            "make a whole"
        )
    return Unit(2)
