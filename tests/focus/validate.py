"""Run in the validator's own environment: a CSV as typed Parquet, and what it says of that.

The validator guesses a CSV's types, and takes an account's number for an integer. FOCUS says what
types its columns have, so they are given.
"""

import os
import sys
from pathlib import Path

import focus_validator
import polars as pl
from focus_validator.main import main

NUMBERS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingQuantity")
MOMENTS = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")


def validate(source, version):
    """Print every rule with its verdict."""
    frame = pl.read_csv(source, infer_schema=False)
    typed = frame.with_columns(
        *(pl.col(name).cast(pl.Float64, strict=True) for name in NUMBERS),
        *(pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC") for name in MOMENTS),
    )
    target = f"{source}.parquet"
    typed.write_parquet(target)
    # It looks for its own rules below the working folder.
    os.chdir(Path(focus_validator.__file__).parent.parent)
    sys.argv = ["focus-validator", "--block-download", "--show-violations"]
    sys.argv += ["--validate-version", version, "--data-file", target]
    main()


validate(*sys.argv[1:])
