"""How do rows of one key become versions, each valid until the next (slowly changing dimension type 2)?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from framework.spec.names import quoted
from framework.transforms.rows import DUPLICATE, KEPT, OUTCOME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from framework.spec.history import Versions


def versioned(rows: DataFrame, history: Versions, key: Sequence[str], columns: Sequence[str]) -> DataFrame:
    """Return the rows with the versions' columns; a version that repeats the one before it is a duplicate.

    `key` names what the versions are of; `columns` is the content that is compared.
    """
    names = history.versions
    begins = F.col(quoted(names.from_)).asc_nulls_first()
    kept = F.col(OUTCOME) == KEPT
    content = F.struct(*(F.col(quoted(name)) for name in columns if name not in {*key, names.from_, names.until}))
    versions = Window.partitionBy(*(F.col(quoted(name)) for name in key), kept).orderBy(begins)
    place, before = F.row_number().over(versions), F.lag(content).over(versions)
    unchanged = kept & (F.col("__place") > 1) & F.col("__before").eqNullSafe(content)
    rows = rows.withColumns({"__place": place, "__before": before})
    rows = rows.withColumn(OUTCOME, F.when(unchanged, DUPLICATE).otherwise(F.col(OUTCOME))).drop("__place", "__before")
    ends = F.lead(F.col(quoted(names.from_))).over(versions)
    is_last = F.lead(F.lit(True)).over(versions).isNull()
    return rows.withColumns({names.until: F.when(kept, ends), names.current: F.when(kept, is_last)})
