"""Into which periods does a date fall?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.names import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from framework.spec.periods import Periods


def by_period(rows: DataFrame, periods: Periods) -> DataFrame:
    """Return each row once per type of period, with `period_type` and `period_start` (a date; weeks start on Monday)."""
    day = F.col(quoted(periods.of)).cast("date")
    starts = F.array(
        *(F.struct(F.lit(kind).alias("period_type"), F.date_trunc(kind, day).cast("date").alias("period_start")) for kind in periods.types)
    )
    return rows.select("*", F.inline(starts))
