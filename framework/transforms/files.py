"""How do the rows of several files become one table's, each file counted?"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.names import quoted
from framework.spec.table import RAGGED
from framework.transforms.rows import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

MOST_PARTITIONS = 8
"""A landing folder of many small files becomes no more than this many files of the table."""


def gathered(batches: Sequence[DataFrame]) -> tuple[DataFrame, list[Metrics]]:
    """Return the rows of all batches of files, and for each batch the numbers `rows` and `ragged`."""
    counts = (F.count(F.lit(1)).alias("rows"), F.count_if(F.col(quoted(RAGGED))).alias("ragged"))
    # Spark tells a ragged row only to a query that reads the other columns too.
    metrics = [Metrics(rows, *counts, anew=[F.max(F.length(F.concat_ws("", *map(quoted, _text(rows)))))]) for rows in batches]
    rows = reduce(lambda one, other: one.unionByName(other), (one.rows.drop(RAGGED) for one in metrics))
    return (rows.coalesce(MOST_PARTITIONS) if len(batches) > MOST_PARTITIONS else rows), metrics


def counts_by_file(rows: DataFrame) -> dict[str, dict[str, int]]:
    """Return the numbers `rows` and `ragged` of each file, read once more."""
    text = F.max(F.length(F.concat_ws("", *map(quoted, _text(rows)))))
    found = rows.groupBy("_source_file").agg(F.count(F.lit(1)).alias("rows"), F.count_if(F.col(quoted(RAGGED))).alias("ragged"), text)
    return {row["_source_file"]: {"rows": row["rows"], "ragged": row["ragged"]} for row in found.collect()}


def _text(rows: DataFrame) -> list[str]:
    return [name for name in rows.columns if not name.startswith("_")]
