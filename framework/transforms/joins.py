"""How do columns of another table come to a row, without multiplying it?"""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.names import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

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
    equal = _equal(rows, {here: (keys[here], types[name]) for here, name in on.items()})
    joined = rows.join(there, equal, "left").drop(*keys.values())
    if not take:
        return joined  # Spark Connect takes no empty set of columns
    taken = {here: F.col(f"`__taken_{here}`") for here in take}
    return joined.withColumns(taken).drop(*(f"__taken_{here}" for here in take))


def matching(rows: DataFrame, keys: DataFrame, on: Mapping[str, str]) -> DataFrame:
    """Return the rows that a row of `keys` matches; `on` is {here: there}."""
    types = dict(keys.dtypes)
    there = keys.select(*(F.col(quoted(name)).alias(f"__key_{i}") for i, name in enumerate(on.values())))
    return rows.join(there, _equal(rows, {here: (f"__key_{i}", types[name]) for i, (here, name) in enumerate(on.items())}), "left_semi")


def _equal(rows: DataFrame, on: Mapping[str, tuple[str, str]]) -> Column:
    """Return whether columns of `rows` equal others, given by name and type."""
    given = dict(rows.dtypes)
    # A text key must be read as the other's type: compared as text, `007` and 7 would differ.
    return reduce(
        and_,
        (
            (F.col(quoted(here)) if given[here] == type_ else F.col(quoted(here)).try_cast(type_)) == F.col(quoted(there))
            for here, (there, type_) in on.items()
        ),
    )
