"""Where are the tables, and how are they read and written: folders or a catalog?"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Protocol

from framework.plan.maintenance import Stored
from framework.spec.names import TableName, literal, quoted
from framework.spec.table import CHANGE, GOES, ROW_PLACE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from pathlib import Path

    from pyspark.sql import DataFrame, DataFrameReader, DataFrameWriter, SparkSession

    from framework.plan.steps import Load
    from framework.spec.metadata import Catalog, Folders, Reference

_UNUSUAL = re.compile(r"[ ,;{}()\n\t=]")
_COMMITS_TO_COMPACT = 50
"""After so many commits a table's small files are put together: each load pays a fiftieth of it, and no reader meets many."""
_COMMIT = re.compile(r"(\d{20})\.(?:json|checkpoint.*\.parquet)")


class Tables(Protocol):
    """All tables of an environment."""

    def version(self, table: str) -> int | None:
        """Return the Delta version of a table; None where there is no such table."""

    def holds(self, table: str, load: Load, *, app: str) -> bool:
        """Tell whether a load's rows are in a table."""

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Return a table's rows, as they are or as they were."""

    def changes(self, table: str, since: int) -> DataFrame:
        """Return the rows that came and went after version `since`, with 1 or -1 as `__change`."""

    def exchange(self, table: str, rows: DataFrame, key: Collection[str]) -> None:
        """Take rows away and put rows in, in one commit, as `__goes` tells; see `transforms/differences.py`.

        `key` names one row of the table at most; without one a row is told by all of its columns.
        """

    def overwrite(self, table: str, rows: DataFrame) -> None:
        """Put rows, and their columns, in place of what a table held; readers see the old rows or the new."""

    def mend(self, table: str, rows: DataFrame, at: datetime) -> None:
        """Put delivered rows in place of others with the same place, and keep what those held in `_rescued`."""

    def replace(self, table: str, where: str, rows: DataFrame) -> None:
        """Put rows in place of those that a condition holds for, in one commit."""

    def append(self, table: str, rows: DataFrame, once: tuple[str, int] | None = None) -> None:
        """Append rows; with `once`, an application and a number, Delta drops a repeat."""

    def stored(self, table: str) -> Stored:
        """Return what there is of a table: its files, how they are clustered, its properties."""

    def old_files(self, table: str) -> int:
        """Return how many files of states that nobody can read any more there are."""

    def carry_out(self, table: str, statement: str) -> None:
        """Send a statement with `{table}` where the table's name goes."""


class _Tables:
    """What tables in folders and tables in a catalog have in common: all but how they are named."""

    spark: SparkSession | None
    change_feed = True
    """Whether tables keep Delta's change feed."""

    def version(self, table: str) -> int | None:
        """Return the Delta version of a table; None where there is no such table."""
        raise NotImplementedError

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Return a table's rows."""
        return self._load(_reading(self.spark, version), table)

    def changes(self, table: str, since: int) -> DataFrame:
        """Return the rows that came and went: from Delta's change feed, or where there is none by what the two states hold."""
        now = self.read(table)
        if self.change_feed and not _is_mapped(now.columns):
            feed = _reading(self.spark, None).option("readChangeFeed", "true").option("startingVersion", since + 1)
            came = "if(_change_type in ('insert', 'update_postimage'), 1, -1)"
            rows = self._load(feed, table).selectExpr("*", f"{came} AS {CHANGE}")
            return rows.drop("_change_type", "_commit_version", "_commit_timestamp")
        names = [quoted(name) for name in now.columns]
        then = self.read(table, since).selectExpr("*", f"-1 AS {CHANGE}")
        both = now.selectExpr("*", f"1 AS {CHANGE}").unionByName(then, allowMissingColumns=True)
        counts = both.groupBy(*names).agg({CHANGE: "sum"}).withColumnRenamed(f"sum({CHANGE})", CHANGE)
        return counts.selectExpr(*names, f"explode(array_repeat(sign({CHANGE}), cast(abs({CHANGE}) as int))) AS {CHANGE}")

    def exchange(self, table: str, rows: DataFrame, key: Collection[str]) -> None:
        """Take rows away and put rows in, in one commit."""
        _exchange(self._target(table), table, rows, key)
        self._wrote(table)
        self._compact(table)

    def overwrite(self, table: str, rows: DataFrame) -> None:
        """Put rows in place of what a table held, in one commit."""
        self._save(_replacing(rows, self._properties(rows.columns)), table)
        self._wrote(table)

    def mend(self, table: str, rows: DataFrame, at: datetime) -> None:
        """Put delivered rows in place of others."""
        _mend(self._target(table), table, rows, at)
        self._wrote(table)

    def replace(self, table: str, where: str, rows: DataFrame) -> None:
        """Put rows in place of those that a condition holds for."""
        self._prepare(table, rows)
        self._save(_replacing_part(rows, where), table)
        self._wrote(table)

    def append(self, table: str, rows: DataFrame, once: tuple[str, int] | None = None) -> None:
        """Append rows, once."""
        self._prepare(table, rows)
        self._save(_appending(rows, once, self._properties(rows.columns)), table)
        self._wrote(table)
        self._compact(table)

    def stored(self, table: str) -> Stored:
        """Return what there is of a table."""
        (told,) = _needed(self.spark).sql(f"DESCRIBE DETAIL {self._target(table)}").collect()
        found = told.asDict(recursive=True)
        return Stored(
            found["numFiles"] or 0,
            found["sizeInBytes"] or 0,
            tuple(found.get("clusteringColumns") or ()),
            tuple(sorted((found["properties"] or {}).items())),
            self._is_kept_by_platform(table),
        )

    def old_files(self, table: str) -> int:
        """Return how many files of old states there are."""
        return len(_needed(self.spark).sql(f"VACUUM {self._target(table)} DRY RUN").collect())

    def carry_out(self, table: str, statement: str) -> None:
        """Send a statement."""
        _needed(self.spark).sql(statement.replace("{table}", self._target(table)))
        self._wrote(table)

    def _is_kept_by_platform(self, table: str) -> bool:  # noqa: ARG002 - a catalog asks
        """Tell whether the platform looks after a table's files."""
        return False

    def _properties(self, columns: Iterable[str]) -> dict[str, str]:
        """Return Delta's properties of a table: a row that goes does not cost the file it stands in, and what changed can be read.

        Names that parquet does not take, such as those with blanks, are mapped; Delta keeps no change feed for such a table.
        """
        told = {"delta.columnMapping.mode": "name"} if _is_mapped(columns) else {}
        if self.change_feed and not told:
            told = {"delta.enableChangeDataFeed": "true"}
        return {"delta.enableDeletionVectors": "true"} | told

    def _compact(self, table: str) -> None:
        """Put a table's small files together, once in a while; its rows stay the same."""
        if (self.version(table) or 1) % _COMMITS_TO_COMPACT == 0:
            _needed(self.spark).sql(f"OPTIMIZE {self._target(table)}")
            self._wrote(table)

    def _wrote(self, table: str) -> None:
        """Take note that a table may have another version now."""

    def _prepare(self, table: str, rows: DataFrame) -> None:
        if _is_mapped(rows.columns) and self.version(table) is not None:
            _map_names(self.read(table), self._target(table))

    def _target(self, table: str) -> str:
        """Return how SQL names a table."""
        raise NotImplementedError

    def _load(self, reader: DataFrameReader, table: str) -> DataFrame:
        raise NotImplementedError

    def _save(self, writer: DataFrameWriter, table: str) -> None:
        raise NotImplementedError


class FolderTables(_Tables):
    """Tables that are Delta folders `<warehouse>/<table>`."""

    def __init__(self, environment: Folders, warehouse: Path, spark: SparkSession | None) -> None:
        """Remember where; `spark` is needed only to read and write."""
        self.environment, self.warehouse, self.spark = environment, warehouse, spark

    def version(self, table: str) -> int | None:
        """Return the Delta version, read off the names in the table's log; no Spark needed."""
        log = self.warehouse / table / "_delta_log"
        if not log.is_dir():
            return None
        commits = [int(found[1]) for path in log.iterdir() if (found := _COMMIT.fullmatch(path.name))]
        return max(commits, default=None)

    def holds(self, table: str, load: Load, *, app: str) -> bool:
        """Tell whether a load's rows are in a table, as the commits say that were written since it began; no Spark needed."""
        log = self.warehouse / table / "_delta_log"
        if not log.is_dir():
            return False
        for path in sorted(log.glob("*.json")):
            if not path.stem.isdigit() or int(path.stem) <= load.version_before:
                continue
            for line in path.read_text("utf-8").splitlines():
                transaction = json.loads(line).get("txn") if '"txn"' in line else None
                if transaction and transaction["appId"] == app and transaction["version"] >= load.number:
                    return True
        return False

    def _target(self, table: str) -> str:
        return f"delta.{quoted(self._path(table))}"

    def _load(self, reader: DataFrameReader, table: str) -> DataFrame:
        return reader.load(self._path(table))

    def _save(self, writer: DataFrameWriter, table: str) -> None:
        writer.save(self._path(table))

    def _path(self, table: str) -> str:
        return str(self.warehouse / table)


class CatalogTables(_Tables):
    """Tables that are `catalog`.`schema`.`table`."""

    def __init__(self, environment: Catalog, spark: SparkSession | None) -> None:
        """Remember where; unlike folders, a catalog is asked through Spark."""
        self.environment, self.spark, self.change_feed = environment, spark, environment.change_feed
        self._versions: dict[str, int | None] = {}

    def version(self, table: str) -> int | None:
        """Return the Delta version, as the table's history says; asked once, and after each write."""
        if table not in self._versions:
            spark, name = _needed(self.spark), self._name(table)
            is_there = spark.catalog.tableExists(str(name))
            self._versions[table] = int(spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0]["version"]) if is_there else None
        return self._versions[table]

    def _wrote(self, table: str) -> None:
        self._versions.pop(table, None)

    def holds(self, table: str, load: Load, *, app: str) -> bool:  # noqa: ARG002 - a catalog does not show Delta's own record of it
        """Tell whether a load's rows are in a table."""
        if self.version(table) is None:
            return False
        return bool(self.read(table).where(f"_load_id = {literal(load.load_id)}").take(1))

    def _is_kept_by_platform(self, table: str) -> bool:
        """Tell whether the environment says so, or predictive optimization is on for the table.

        `DESCRIBE TABLE EXTENDED` shows the latter on Databricks.
        """
        if self.environment.upkeep == "platform":
            return True
        told = _needed(self.spark).sql(f"DESCRIBE TABLE EXTENDED {self._name(table)}").where("col_name = 'Predictive Optimization'").take(1)
        return bool(told) and told[0]["data_type"].upper().startswith("ENABLE")

    def _target(self, table: str) -> str:
        return str(self._name(table))

    def _load(self, reader: DataFrameReader, table: str) -> DataFrame:
        return reader.table(self._target(table))

    def _save(self, writer: DataFrameWriter, table: str) -> None:
        writer.saveAsTable(self._target(table))

    def _name(self, table: str) -> TableName:
        return TableName((self.environment.catalog, self.environment.schema_name, table))


def app_of(table: str) -> str:
    """Return the name under which loads of a table are numbered in Delta's log."""
    return f"lakepact.{table}"


class Staging:
    """A folder for rows that wait for their counts before they are committed; parquet, gone after the run."""

    def __init__(self, folder: Path, spark: SparkSession) -> None:
        """Remember the folder."""
        self.folder, self.spark = folder, spark

    def write(self, table: str, rows: DataFrame) -> DataFrame:
        """Write rows down and return them as they were written."""
        path = str(self.folder / table)
        rows.write.mode("overwrite").parquet(path)
        return self.spark.read.schema(rows.schema).parquet(path)

    def clear(self, table: str | None = None) -> None:
        """Remove a table's rows, or all there is."""
        shutil.rmtree(self.folder / table if table else self.folder, ignore_errors=True)


def clear_staging(folder: Path) -> None:
    """Remove what runs left behind that were killed; only for who holds the lock."""
    shutil.rmtree(folder, ignore_errors=True)


def reference_rows(reference: Reference, spark: SparkSession) -> DataFrame:
    """Return reference data as rows of text; a field left empty is null."""
    columns = ", ".join(quoted(name) for name in reference.columns)
    if not reference.rows:
        nothing = ", ".join(f"cast(null as string) AS {quoted(name)}" for name in reference.columns)
        return spark.sql(f"SELECT {nothing} WHERE false")
    values = ", ".join("(" + ", ".join(literal(field or None) for field in row) + ")" for row in reference.rows)
    return spark.sql(f"SELECT * FROM VALUES {values} AS reference({columns})")  # noqa: S608 - every part is quoted above


def _reading(spark: SparkSession | None, version: int | None) -> DataFrameReader:
    reader = _needed(spark).read.format("delta")
    return reader if version is None else reader.option("versionAsOf", version)


def _exchange(target: str, table: str, rows: DataFrame, key: Collection[str]) -> None:
    names = [quoted(name) for name in rows.columns if name != GOES]
    view = quoted(f"exchange {table}")
    rows.createOrReplaceTempView(view)
    same = " AND ".join(f"t.{name} <=> s.{name}" for name in (map(quoted, key) if key else names))
    rows.sparkSession.sql(
        f"MERGE INTO {target} AS t USING {view} AS s ON s.{GOES} AND {same} WHEN MATCHED THEN DELETE "  # noqa: S608 - names are quoted
        f"WHEN NOT MATCHED AND NOT s.{GOES} THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f's.{name}' for name in names)})"
    )
    rows.sparkSession.catalog.dropTempView(view)


def _mend(target: str, table: str, rows: DataFrame, at: datetime) -> None:
    names = [name for name in rows.columns if name not in ROW_PLACE]
    view = quoted(f"mended {table}")
    rows.createOrReplaceTempView(view)
    place = " AND ".join(f"t.{name} = s.{name}" for name in ROW_PLACE)
    alike = " AND ".join(f"nullif(t.{quoted(name)}, '') <=> s.{quoted(name)}" for name in names)
    was = ", ".join(f"{literal(name)}, t.{quoted(name)}" for name in names)
    told = f"'at', {literal(at.isoformat())}, 'was', named_struct({was}), 'rescued', t._rescued"
    values = ", ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in names)
    rows.sparkSession.sql(
        f"MERGE INTO {target} AS t USING {view} AS s ON {place} WHEN MATCHED AND NOT ({alike}) "
        f"THEN UPDATE SET {values}, t._rescued = to_json(named_struct('_mended', named_struct({told})))"
    )
    rows.sparkSession.catalog.dropTempView(view)


def _replacing(rows: DataFrame, properties: dict[str, str]) -> DataFrameWriter:
    return rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").options(**properties)


def _appending(rows: DataFrame, once: tuple[str, int] | None, properties: dict[str, str]) -> DataFrameWriter:
    writer = rows.write.format("delta").mode("append").option("mergeSchema", "true").options(**properties)
    return writer.option("txnAppId", once[0]).option("txnVersion", once[1]) if once else writer


def _replacing_part(rows: DataFrame, where: str) -> DataFrameWriter:
    return rows.write.format("delta").mode("overwrite").option("replaceWhere", where).option("mergeSchema", "true")


def _map_names(there: DataFrame, target: str) -> None:
    """Let a table take names that parquet does not take, where it has none so far."""
    if not _is_mapped(there.columns):
        for properties in ("'delta.enableChangeDataFeed' = 'false'", "'delta.columnMapping.mode' = 'name'"):
            there.sparkSession.sql(f"ALTER TABLE {target} SET TBLPROPERTIES ({properties})")


def _is_mapped(columns: Iterable[str]) -> bool:
    return any(_UNUSUAL.search(name) for name in columns)


def _needed(spark: SparkSession | None) -> SparkSession:
    if spark is None:
        message = "this environment can only be read with a Spark session"
        raise RuntimeError(message)
    return spark
