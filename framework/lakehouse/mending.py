"""How do quarantined rows leave the warehouse to be mended by hand, and come back?

A mended row takes the place of the delivered one: same load, same file, same place in it, so that whatever is decided by
the order of deliveries stays as it was. What was delivered is kept beside it, in `_rescued`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework.lakehouse.quarantine import cleared, masked_columns
from framework.lakehouse.session import start_session
from framework.spec.names import quoted
from framework.spec.problem import CannotRunError, did_you_mean
from framework.spec.table import ROW_PLACE as PLACE
from framework.spec.table import FileTable, MappedTable

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.lakehouse.tables import Tables
    from framework.spec.project import Project

_TABLE, _REASONS = "_table", "_reasons"
MOST = 100_000
"""Rows that one file takes: mending by hand is for few."""


@dataclass(frozen=True)
class Mended:
    """What became of the rows of a mended file."""

    mended: int
    unchanged: int
    unknown: int
    """Rows that no delivered row belongs to."""


def sources_of(project: Project, table: str) -> dict[str, tuple[str, ...]]:
    """Return the tables of files that a table's quarantined rows come from, each with its columns.

    Raises:
        CannotRunError: there is no such table, or its rows come from a table that is worked out itself.
    """
    if table not in project.tables:
        raise CannotRunError(f'There is no table "{table}".', did_you_mean(table, project.tables))
    contract = project.tables[table]
    sources = [source.table for source in contract.all_sources] if isinstance(contract, MappedTable) else []
    if not sources:
        raise CannotRunError(f"No row of {table} is ever quarantined.", "name a table that has a source.")
    derived = [name for name in sources if not isinstance(project.tables[name], FileTable)]
    if derived:
        raise CannotRunError(
            f"The rows of {table} come from {derived[0]}, which is worked out anew whenever its own source changes.",
            f"mend what was delivered: `lakepact quarantine {derived[0]}`, or the contract.",
        )
    return {name: project.tables[name].column_names for name in dict.fromkeys(sources)}


def export(lakehouse: Lakehouse, table: str, path: Path, *, principal: str | None) -> int:
    """Write a table's quarantined rows as they were delivered into a CSV file, and return how many there are.

    Raises:
        CannotRunError: there is no such table, or it holds personal data that `principal` may not see.
    """
    sources = sources_of(lakehouse.project, table)
    columns = list(dict.fromkeys(name for names in sources.values() for name in names))
    masked = masked_columns(lakehouse.project, table, cleared(lakehouse.project, principal))
    hidden = [name for name in columns if name.lower() in masked]
    if hidden:
        raise CannotRunError(
            f"The rows hold personal data in {', '.join(hidden)}, and a masked row cannot be mended.",
            "name a principal who is cleared for it with --as.",
        )
    spark = start_session(lakehouse.environment.spark)
    tables = lakehouse.tables(spark)
    found = [_refused(spark, tables, table, source, columns) for source in sources]
    rows = [row for one in found for row in one.limit(MOST + 1).collect()] if tables.version(f"{table}_quarantine") is not None else []
    if len(rows) > MOST:
        raise CannotRunError(f"More than {MOST:,} rows are in quarantine.", "so many are mended in the contract, or delivered again.")
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([_TABLE, *PLACE, _REASONS, *columns])
        writer.writerows([["" if value is None else value for value in row] for row in rows])
    return len(rows)


def _refused(spark: SparkSession, tables: Tables, table: str, source: str, columns: list[str]) -> DataFrame:
    """Return the delivered rows of a source of which something is in quarantine, each once, with all reasons."""
    delivered = tables.read(source)
    if tables.version(f"{table}_quarantine") is None:
        return delivered.limit(0)
    refused = tables.read(f"{table}_quarantine")
    refused.createOrReplaceTempView("refused")
    place = ", ".join(f"`{name}`" for name in PLACE)
    told = spark.sql(
        f"select {place}, concat_ws(' ', array_sort(collect_set(r.message))) as `{_REASONS}` from refused "  # noqa: S608 - names of our own
        f"lateral view explode({_REASONS}) e as r group by {place}"
    )
    own = {name.lower() for name in delivered.columns}
    shown = [quoted(name) if name.lower() in own else f"cast(null as string) as {quoted(name)}" for name in columns]
    joined = delivered.join(told, list(PLACE)).orderBy(*PLACE)
    return joined.selectExpr(f"'{source}' as {_TABLE}", *PLACE, _REASONS, *shown)


def mend(lakehouse: Lakehouse, table: str, path: Path, at: datetime) -> Mended:
    """Put the rows of a mended file in place of the delivered ones; the next run works out what follows.

    Raises:
        CannotRunError: there is no such table, or the file is not one that `export` wrote.
    """
    sources = sources_of(lakehouse.project, table)
    by_source = _read(path, sources)
    spark = start_session(lakehouse.environment.spark)
    tables = lakehouse.tables(spark)
    mended = unchanged = unknown = 0
    for source, rows in by_source.items():
        names = [*PLACE, *sources[source]]
        given = spark.createDataFrame(rows, ", ".join(f"{quoted(name)} string" for name in names))
        given = given.selectExpr(*(f"cast({name} as bigint) as {name}" if name == "_row_number" else quoted(name) for name in names))
        there = tables.read(source).join(given.select(*PLACE), list(PLACE), "left_semi")
        empty = [f"nullif({quoted(name)}, '') as {quoted(name)}" for name in sources[source]]
        found, alike = there.count(), there.selectExpr(*PLACE, *empty).intersect(given).count()
        if found > alike:
            tables.mend(source, given, at)
        mended, unchanged, unknown = mended + found - alike, unchanged + alike, unknown + len(rows) - found
    return Mended(mended, unchanged, unknown)


def _read(path: Path, sources: dict[str, tuple[str, ...]]) -> dict[str, list[tuple[str | None, ...]]]:
    """Return the rows of a mended file by the table that they belong to: their place, then the table's columns."""
    columns = list(dict.fromkeys(name for names in sources.values() for name in names))
    header = [_TABLE, *PLACE, _REASONS, *columns]
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.DictReader(stream)
            if sorted(lines.fieldnames or ()) != sorted(header):
                missing = [name for name in header if name not in (lines.fieldnames or ())]
                raise CannotRunError(
                    f"{path} is not a file of quarantined rows: {f'it lacks {missing[0]}' if missing else 'it has other columns'}.",
                    "write one with `lakepact quarantine TABLE --export FILE`, mend its values, and leave the columns that begin with `_`.",
                )
            found: dict[str, list[tuple[str | None, ...]]] = {}
            for row in lines:
                if row[_TABLE] not in sources or None in row or not str(row["_row_number"]).isdigit():
                    raise CannotRunError(
                        f"Line {lines.line_num} of {path} does not say which row it mends.",
                        "leave the columns that begin with `_` as they were.",
                    )
                found.setdefault(row[_TABLE], []).append(tuple(row[name] or None for name in (*PLACE, *sources[row[_TABLE]])))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CannotRunError(f"{path} cannot be read: {error}.", "name the CSV file with the mended rows.") from error
    return found
