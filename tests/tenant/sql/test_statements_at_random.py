"""The statements that tests make at random: a seed makes the same ones in every process."""

import ast
import os
import random
import subprocess
import sys
from pathlib import Path

from tests.tenant.sql.conftest import Statements
from tests.tenant.sql.heavy_texts import HeavyTexts
from tests.tenant.sql.shop_statements import ShopStatements

MADE_OF = {
    "shop": ShopStatements,
    "hotel": Statements,
    "heavy texts": lambda seed: HeavyTexts(random.Random(seed)),
}
PROGRAM = """
from tests.tenant.sql.test_statements_at_random import made
print(ascii(made()))
"""


def made():
    sources = {name: make(5) for name, make in MADE_OF.items()}
    return {name: [source.one() for _ in range(100)] for name, source in sources.items()}


def test_a_seed_makes_the_same_statements_in_every_process():
    """Whatever order its sets have there: else a failure's seed would repeat nothing."""
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        )
        assert ast.literal_eval(done.stdout) == made()
