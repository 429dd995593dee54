"""How do columns of another table come to a row, without multiplying it?"""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.names import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

MATCHED = "__matched"


def with_taken(rows: DataFrame, other: DataFrame, on: Mapping[str, str], take: Mapping[str, str]) -> DataFrame:
    """Return the rows with columns of `other`, null and not `__matched` where no row of it matches.

    `on` is {here: there}, `take` is {name here: name there}; `other` holds one row at most per key.
    """
    keys = {here: f"__key_{i}" for i, here in enumerate(on)}
    types = dict(other.dtypes)
    there = other.select(
        *(F.col(quoted(name)).alias(keys[here]) for here, name in on.items()),
        *(F.col(quoted(name)).alias(f"__taken_{here}") for here, name in take.items()),
        F.lit(True).alias(MATCHED),
    )
    given = dict(rows.dtypes)
    equal = reduce(
        and_,
        (
            # A text key must be read as the other's type: compared as text, `007` and 7 would differ.
            (F.col(quoted(here)) if given[here] == types[name] else F.col(quoted(here)).try_cast(types[name])) == F.col(keys[here])
            for here, name in on.items()
        ),
    )
    joined = rows.join(there, equal, "left").drop(*keys.values())
    taken = {here: F.col(f"`__taken_{here}`") for here in take}
    return joined.withColumns(taken).drop(*(f"__taken_{here}" for here in take))
