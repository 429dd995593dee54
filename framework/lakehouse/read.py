"""How do delivered files become rows of text with where they came from?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from framework.spec.names import literal, quoted
from framework.spec.table import FILE_TECHNICAL, RAGGED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame, SparkSession

    from framework.plan.steps import DeliveredFile, Load
    from framework.spec.table import FileTable

MALFORMED = "__malformed"
_FEW = 32
"""Up to as many files are read one by one, each by one task, without moving a row."""
_NAME, _MODIFIED, _AT = "__name", "__modified", "__at"
# A file is read by one task, since quoted line breaks forbid to split it: the id counts its rows.
_PLACE = f"(monotonically_increasing_id() & {(1 << 33) - 1}L) + 1L"
_SURPLUS = 32
"""Fields beyond the header's that are rescued one by one; of a longer row the whole text is."""


@dataclass(frozen=True)
class Batch:
    """Files that are read together, and their rows."""

    files: tuple[DeliveredFile, ...]
    rows: DataFrame


def read_files(spark: SparkSession, table: FileTable, load: Load) -> list[Batch]:
    """Return the rows of a load's files, and whether each row is ragged.

    Every row is there once, as text, a column the file lacks is null; `_row_number` counts from 1 in each file. Few files
    are read one by one; of many, those with the same header together.
    """
    if len(load.files) <= _FEW:
        return [Batch((file,), _rows_of(spark, (file,), table, load)) for file in load.files]
    by_header: dict[tuple[str, ...], list[DeliveredFile]] = {}
    for file in load.files:
        by_header.setdefault(file.header, []).append(file)
    return [Batch(tuple(files), _rows_of(spark, tuple(files), table, load)) for files in by_header.values()]


def empty_rows(spark: SparkSession, table: FileTable) -> DataFrame:
    """Return no rows, with the table's columns."""
    technical = [f"{name} {type_}" for name, type_ in FILE_TECHNICAL.items()]
    return spark.createDataFrame([], ", ".join([_text_columns(table.column_names), *technical]))


def _rows_of(spark: SparkSession, files: tuple[DeliveredFile, ...], table: FileTable, load: Load) -> DataFrame:
    header = files[0].header
    names = {column.name.lower(): column.name for column in table.columns}
    # Names of unknown columns may be anything; inside they are numbered.
    inside = [names.get(name.lower(), f"__unknown_{i}") for i, name in enumerate(header)]
    csv = table.files.csv
    options = {"sep": csv.separator, "quote": csv.quote, "escape": csv.escape, "mode": "PERMISSIVE"}
    lines = spark.read.schema(_text_columns([*inside, MALFORMED])).options(
        **options,
        header="true",
        # The header was compared with the contract; Spark's own check would refuse a byte order mark.
        enforceSchema="true",
        multiLine="true",
        encoding=csv.encoding,
        columnNameOfCorruptRecord=MALFORMED,
    )
    # As SQL text: a landing folder holds many files, and each column made in Python would be a call into Java.
    columns = {column.name: quoted(column.name) if column.name in inside else "cast(null as string)" for column in table.columns}
    columns |= {
        "_load_id": literal(load.load_id),
        "_load_timestamp": _timestamp(datetime.fromisoformat(load.timestamp)),
        "_source_file": literal(files[0].name) if len(files) == 1 else _NAME,
        "_source_modified": f"timestamp_micros({files[0].modified_ns // 1000}L)" if len(files) == 1 else _MODIFIED,
        "_row_number": _PLACE,
        "_rescued": _rescued(header, inside, options, keep_unknown=table.files.unknown_columns == "rescue"),
        RAGGED: f"{MALFORMED} is not null",
    }
    rows = lines.csv([_as_glob_free(file.path) for file in files])
    if len(files) > 1:
        # The path is written as a URI, in which a plus sign is one.
        name = "url_decode(replace(_metadata.file_name, '+', '%2B'))"
        known = spark.createDataFrame([(file.name, file.modified_ns // 1000) for file in files], f"{_NAME} string, __micros bigint")
        known = known.selectExpr(_NAME, f"timestamp_micros(__micros) as {_MODIFIED}")
        rows = rows.selectExpr("*", f"{name} as {_NAME}", f"{_PLACE} as {_AT}").join(known.hint("broadcast"), _NAME)
        columns |= {"_row_number": f"cast(row_number() over (partition by {_NAME} order by {_AT}) as bigint)"}
    return rows.selectExpr(*(f"{sql} as {quoted(name)}" for name, sql in columns.items()))


def _text_columns(names: Iterable[str]) -> str:
    return ", ".join(f"{quoted(name)} string" for name in names)


def _timestamp(moment: datetime) -> str:
    return f"timestamp_micros({int(moment.timestamp()) * 1_000_000 + moment.microsecond}L)"


def _rescued(header: tuple[str, ...], inside: list[str], options: dict[str, str], *, keep_unknown: bool) -> str:
    """Return SQL for the JSON of unknown columns' values and of surplus fields; null where there is neither."""
    extra = [f"__surplus_{i}" for i in range(_SURPLUS)]
    settings = ", ".join(f"{literal(key)}, {literal(value)}" for key, value in options.items())
    again = f"from_csv({MALFORMED}, {literal(_text_columns([*inside, *extra]))}, map({settings}))"
    surplus = f"filter(transform(array({again}), r -> array({', '.join(f'r.{name}' for name in extra)}))[0], f -> f is not null)"
    unknown = (
        [(name, column) for name, column in zip(header, inside, strict=True) if column.startswith("__unknown_")] if keep_unknown else []
    )
    fields = [f"{literal(name or f'column {inside.index(column) + 1}')}, {column}" for name, column in unknown]
    anything = " or ".join([f"{MALFORMED} is not null", *(f"{column} is not null" for _, column in unknown)])
    fields.append(f"'_surplus', nullif({surplus}, array())")
    # A separator inside quotes counts too: then the text is kept without need, and never lost.
    separators = f"length({MALFORMED}) - length(replace({MALFORMED}, {literal(options['sep'])}, ''))"
    longest = (len(inside) + _SURPLUS - 1) * len(options["sep"])
    fields.append(f"'_record', if({separators} > {longest}, {MALFORMED}, null)")
    json = f"to_json(named_struct({', '.join(fields)}))"
    return f"case when {anything} then nullif({json}, '{{}}') end"


def _as_glob_free(path: str) -> str:
    r"""Return a path in which Spark sees no pattern.

    >>> print(_as_glob_free("/landing/a[1].csv"))
    /landing/a\[1\].csv
    """
    return "".join(f"\\{c}" if c in "\\[]{}*?" else c for c in path)
