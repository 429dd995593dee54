"""In which rows do two states of a table differ?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.names import literal, quoted
from framework.spec.table import GOES
from framework.transforms.rows import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

_INCOMPARABLE = ("map<", "variant", "interval")


def is_comparable(rows: DataFrame) -> bool:
    """Tell whether rows can be held against each other, column by column."""
    return not any(word in type_ for _, type_ in rows.dtypes for word in _INCOMPARABLE)


def differences(old: DataFrame, new: DataFrame, rules: Sequence[str] | None = None) -> tuple[DataFrame, Metrics]:
    """Return the rows in which `new` differs from `old`, told apart by `__goes`, and the numbers `goes` and `comes`.

    A row that goes stands for all that are equal to it; as many of them as stay come again. Of a quarantine, the numbers
    also tell by how many rows more each of its `rules` is broken.
    """
    names = [quoted(name) for name in new.columns]
    both = old.select(*names, F.lit(1).alias("__old"), F.lit(0).alias("__new")).unionByName(
        new.select(*names, F.lit(0).alias("__old"), F.lit(1).alias("__new"))
    )
    counts = both.groupBy(*names).agg(F.sum("__old").alias("__old"), F.sum("__new").alias("__new")).where("__old <> __new")
    sums = {"goes": "__old", "comes": "__new"}
    sums |= {rule: f"if(exists(_reasons, r -> r.rule = {literal(rule)}), __new - __old, 0)" for rule in rules or ()}
    found = Metrics(counts, *(F.expr(f"coalesce(sum({sql}), 0)").alias(name) for name, sql in sums.items()))
    copies = F.expr("array_repeat(false, cast(__new as int)) || if(__old > 0, array(true), array())")
    return found.rows.select(*names, F.explode(copies).alias(GOES)), found
