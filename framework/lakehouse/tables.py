"""Where are the tables, and how are they read and written: folders or a catalog?"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Protocol

from framework.spec.names import TableName, literal, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

    from framework.plan.steps import Load
    from framework.spec.metadata import Catalog, Folders, Reference

_UNUSUAL = re.compile(r"[ ,;{}()\n\t=]")
_COMMIT = re.compile(r"(\d{20})\.(?:json|checkpoint.*\.parquet)")


class Tables(Protocol):
    """All tables of an environment."""

    def version(self, table: str) -> int | None:
        """Return the Delta version of a table; None where there is no such table."""

    def holds(self, table: str, load: Load, *, app: str) -> bool:
        """Tell whether a load's rows are in a table."""

    def read(self, table: str) -> DataFrame:
        """Return a table's rows."""

    def overwrite(self, table: str, rows: DataFrame) -> None:
        """Put rows, and their columns, in place of what a table held; readers see the old rows or the new."""

    def append(self, table: str, rows: DataFrame, *, app: str, number: int) -> None:
        """Append rows once: Delta drops a repeat with the same `app` and `number`."""


class FolderTables:
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

    def read(self, table: str) -> DataFrame:
        """Return a table's rows."""
        return _needed(self.spark).read.format("delta").load(self._path(table))

    def overwrite(self, table: str, rows: DataFrame) -> None:
        """Put rows in place of what a table held, in one commit."""
        _replacing(rows).save(self._path(table))

    def append(self, table: str, rows: DataFrame, *, app: str, number: int) -> None:
        """Append rows once."""
        _appending(rows, app, number).save(self._path(table))

    def _path(self, table: str) -> str:
        return str(self.warehouse / table)


class CatalogTables:
    """Tables that are `catalog`.`schema`.`table`."""

    def __init__(self, environment: Catalog, spark: SparkSession | None) -> None:
        """Remember where; unlike folders, a catalog is asked through Spark."""
        self.environment, self.spark = environment, spark

    def version(self, table: str) -> int | None:
        """Return the Delta version, as the table's history says."""
        spark = _needed(self.spark)
        name = self._name(table)
        place = TableName((self.environment.catalog, self.environment.schema_name))
        if not spark.sql(f"SHOW TABLES IN {place} LIKE {literal(table)}").take(1):
            return None
        return int(spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0]["version"])

    def holds(self, table: str, load: Load, *, app: str) -> bool:  # noqa: ARG002 - a catalog does not show Delta's own record of it
        """Tell whether a load's rows are in a table."""
        if self.version(table) is None:
            return False
        return bool(self.read(table).where(f"_load_id = {literal(load.load_id)}").take(1))

    def read(self, table: str) -> DataFrame:
        """Return a table's rows."""
        return _needed(self.spark).read.table(str(self._name(table)))

    def overwrite(self, table: str, rows: DataFrame) -> None:
        """Put rows in place of what a table held, in one commit."""
        _replacing(rows).saveAsTable(str(self._name(table)))

    def append(self, table: str, rows: DataFrame, *, app: str, number: int) -> None:
        """Append rows once."""
        _appending(rows, app, number).saveAsTable(str(self._name(table)))

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


def _replacing(rows: DataFrame) -> DataFrameWriter:
    return _naming(rows, rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true"))


def _appending(rows: DataFrame, app: str, number: int) -> DataFrameWriter:
    writer = rows.write.format("delta").mode("append").option("mergeSchema", "true")
    return _naming(rows, writer.option("txnAppId", app).option("txnVersion", number))


def _naming(rows: DataFrame, writer: DataFrameWriter) -> DataFrameWriter:
    """Let Delta map column names that parquet does not take, such as those with blanks."""
    unusual = any(_UNUSUAL.search(name) for name in rows.columns)
    return writer.option("delta.columnMapping.mode", "name") if unusual else writer


def _needed(spark: SparkSession | None) -> SparkSession:
    if spark is None:
        message = "this environment can only be read with a Spark session"
        raise RuntimeError(message)
    return spark
