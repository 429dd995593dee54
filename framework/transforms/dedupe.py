"""Which of several rows with one key is kept?"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from framework.spec.dedupe import LatestPerKey, order
from framework.spec.names import quoted
from framework.transforms.rows import AT, DUPLICATE, KEPT, ORDER, OUTCOME, OWN, SOURCE, STAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

    from framework.spec.columns import MappedColumn
    from framework.spec.dedupe import Dedupe


def order_of(texts: Sequence[str], rows: DataFrame) -> list[Column]:
    """Return the sort order that `valid_from desc` and its like say; nulls come last either way."""
    there = set(rows.columns)
    found = []
    for text in texts:
        one = order(text)
        column = F.col(quoted(one.column) if one.column in there else quoted(f"{ORDER}{one.column}"))
        found.append(column.desc_nulls_last() if one.descending else column.asc_nulls_last())
    return found


def marked(rows: DataFrame, dedupe: Dedupe, key: Sequence[str], columns: Sequence[MappedColumn], *, keep_best: bool = False) -> DataFrame:
    """Return the rows, those that passed but are not the first of their key marked as duplicates.

    The order always decides: after what the contract says come the tie-breakers, the source, the place in an exploded
    array, and at last the content. With `keep_best`, `__stays` marks the rows that later rows have to be held against,
    and `__own_…` keeps the values that were filled.
    """
    latest = dedupe.latest_by if isinstance(dedupe, LatestPerKey) else []
    content = F.xxhash64(*(F.col(quoted(column.name)) for column in columns if "map<" not in column.type))
    ordered = [*order_of([*latest, *dedupe.tie_break], rows), F.col(SOURCE).desc(), F.col(AT).desc(), content.asc()]
    passed = F.col(OUTCOME) == KEPT
    window = Window.partitionBy(*(F.col(quoted(name)) for name in key), passed).orderBy(*ordered)
    fill = dedupe.fill if isinstance(dedupe, LatestPerKey) else []
    every = window.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    by_name = {column.name: column for column in columns}
    filled: dict[str, Column] = {}
    for name in fill:
        known = F.coalesce(F.col(quoted(name)), F.first(F.col(quoted(name)), ignorenulls=True).over(every))
        default = by_name[name].default
        filled[name] = known if default is None else F.coalesce(known, F.lit(default).cast(by_name[name].type))
    rank = F.row_number().over(window)
    best: dict[str, Column] = {}
    if keep_best:
        so_far = window.rowsBetween(Window.unboundedPreceding, Window.currentRow)
        firsts = [F.col(quoted(name)).isNotNull() & (F.count(quoted(name)).over(so_far) == 1) for name in fill]
        best = {f"{OWN}{name}": F.col(quoted(name)) for name in fill} | {STAYS: passed & reduce(or_, firsts, rank == 1)}
    ranked = rows.withColumns({"__rank": rank} | best | filled)
    repeated = passed & (F.col("__rank") > 1)
    return ranked.withColumn(OUTCOME, F.when(repeated, DUPLICATE).otherwise(F.col(OUTCOME))).drop("__rank")
