"""How do delivered files become rows of text with where they came from?"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Observation
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from framework.spec.names import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from framework.plan.steps import DeliveredFile, Load
    from framework.spec.table import FileTable

RAGGED = "__ragged"
_SURPLUS = 32
"""Fields beyond the header's that are rescued one by one; of a longer row the whole text is."""


def read_files(spark: SparkSession, table: FileTable, load: Load, target_partitions: int = 8) -> tuple[DataFrame, dict[str, Observation]]:
    """Return the rows of a load's files in delivery order, and for each file an observation of `rows` and `ragged`.

    Every row is there once, as text, a column the file lacks is null; `_row_number` counts from 1 in each file.
    """
    observations: dict[str, Observation] = {}
    parts = []
    for file in load.files:
        observations[file.name] = Observation()
        rows = _rows_of(spark, file, table, load)
        counts = (F.count(F.lit(1)).alias("rows"), F.count_if(F.col(RAGGED)).alias("ragged"))
        parts.append(rows.observe(observations[file.name], *counts).drop(RAGGED))
    rows = reduce(lambda one, other: one.unionByName(other), parts)
    return (rows.coalesce(target_partitions) if len(parts) > target_partitions else rows), observations


def empty_rows(spark: SparkSession, table: FileTable) -> DataFrame:
    """Return no rows, with the table's columns."""
    technical = (
        "_load_id string, _load_timestamp timestamp, _source_file string, _source_modified timestamp, _row_number bigint, _rescued string"
    )
    declared = StructType([StructField(column.name, StringType()) for column in table.columns])
    return spark.createDataFrame(
        [],
        StructType(
            [*declared, *StructType.fromDDL(technical).fields]  # type: ignore[attr-defined] # a DDL text always gives a struct
        ),
    )


def _rows_of(spark: SparkSession, file: DeliveredFile, table: FileTable, load: Load) -> DataFrame:
    names = {column.name.lower(): column.name for column in table.columns}
    # Names of unknown columns may be anything; inside they are numbered.
    inside = [names.get(name.lower(), f"__unknown_{i}") for i, name in enumerate(file.header)]
    csv = table.files.csv
    options = {"sep": csv.separator, "quote": csv.quote, "escape": csv.escape, "mode": "PERMISSIVE"}
    schema = StructType([StructField(name, StringType()) for name in (*inside, "__malformed")])
    lines = spark.read.schema(schema).options(
        **options,
        header="true",
        # The header was compared with the contract; Spark's own check would refuse a byte order mark.
        enforceSchema="true",
        multiLine="true",
        encoding=csv.encoding,
        columnNameOfCorruptRecord="__malformed",
    )
    rows = lines.csv(_as_glob_free(file.path))
    wide = ", ".join(f"{quoted(name)} string" for name in (*inside, *(f"__surplus_{i}" for i in range(_SURPLUS))))
    again = F.from_csv(F.col("__malformed"), F.lit(wide), options)
    surplus = F.filter(F.array(*(again.getField(f"__surplus_{i}") for i in range(_SURPLUS))), lambda field: field.isNotNull())
    rescued = _rescued(file.header, inside, surplus, keep_unknown=table.files.unknown_columns == "rescue")
    modified = datetime.fromtimestamp(file.modified_ns // 1000 / 1_000_000, tz=timezone.utc)
    # A file is read by one task, since quoted line breaks forbid to split it: the id counts its rows.
    position = F.monotonically_increasing_id().bitwiseAND((1 << 33) - 1) + 1
    columns: dict[str, Column] = {
        column.name: F.col(f"`{column.name}`") if column.name in inside else F.lit(None).cast("string") for column in table.columns
    }
    columns |= {
        "_load_id": F.lit(load.load_id),
        "_load_timestamp": _timestamp(datetime.fromisoformat(load.timestamp)),
        "_source_file": F.lit(file.name),
        "_source_modified": _timestamp(modified),
        "_row_number": position,
        "_rescued": rescued,
        RAGGED: F.col("__malformed").isNotNull(),
    }
    return rows.select(*(column.alias(name) for name, column in columns.items()))


def _timestamp(moment: datetime) -> Column:
    micros = int(moment.timestamp()) * 1_000_000 + moment.microsecond
    return F.timestamp_micros(F.lit(micros).cast("bigint"))


def _rescued(header: tuple[str, ...], inside: list[str], surplus: Column, *, keep_unknown: bool) -> Column:
    unknown = [(name, column) for name, column in zip(header, inside, strict=True) if column.startswith("__unknown_")]
    fields = [F.col(column).alias(name or f"column {inside.index(column) + 1}") for name, column in unknown] if keep_unknown else []
    is_surplus = F.size(surplus) > 0
    extra = F.when(is_surplus, surplus).alias("_surplus")
    anything = is_surplus
    for _, column in unknown if keep_unknown else []:
        anything = anything | F.col(column).isNotNull()
    return F.when(anything, F.to_json(F.struct(*fields, extra)))


def _as_glob_free(path: str) -> str:
    r"""Return a path in which Spark sees no pattern.

    >>> print(_as_glob_free("/landing/a[1].csv"))
    /landing/a\[1\].csv
    """
    return "".join(f"\\{c}" if c in "\\[]{}*?" else c for c in path)
