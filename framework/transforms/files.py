"""How do the rows of several files become one table's, each file counted?"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.names import quoted
from framework.spec.table import RAGGED
from framework.transforms.rows import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

MOST_PARTITIONS = 8
"""A landing folder of many small files becomes no more than this many files of the table."""


def gathered(files: Mapping[str, DataFrame]) -> tuple[DataFrame, dict[str, Metrics]]:
    """Return the rows of all files, and for each file the numbers `rows` and `ragged`."""
    counts = (F.count(F.lit(1)).alias("rows"), F.count_if(F.col(quoted(RAGGED))).alias("ragged"))
    # Spark tells a ragged row only to a query that reads the other columns too.
    metrics = {
        name: Metrics(rows, *counts, anew=[F.max(F.length(F.concat_ws("", *map(quoted, _text(rows)))))]) for name, rows in files.items()
    }
    rows = reduce(lambda one, other: one.unionByName(other), (one.rows.drop(RAGGED) for one in metrics.values()))
    return (rows.coalesce(MOST_PARTITIONS) if len(files) > MOST_PARTITIONS else rows), metrics


def _text(rows: DataFrame) -> list[str]:
    return [name for name in rows.columns if not name.startswith("_")]
