"""Which files are in a landing folder that is too large to be listed by every run?

Auto Loader, on Databricks, is told by the storage which files came. It reads none of them here: it keeps their names, and
what is new is found as ever, by what the ledger of loads lacks, so that exactly-once needs no second bookkeeping.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from framework.spec.problem import CannotRunError

if TYPE_CHECKING:
    import os

    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class FoundFile:
    """A file that was told of; it may be gone by now."""

    path: str
    size: int
    modified_ms: int

    @property
    def name(self) -> str:
        """Return the file's name."""
        return Path(self.path).name

    def __fspath__(self) -> str:
        """Return where the file is."""
        return self.path

    @property
    def identity_ms(self) -> tuple[str, int, int]:
        """Return what tells this delivery from another under the same name, as far as it was told of."""
        return (self.name, self.size, self.modified_ms)

    def is_file(self) -> bool:
        """Tell whether there is such a file."""
        return Path(self.path).is_file()

    def stat(self) -> os.stat_result:
        """Return what the storage says of the file."""
        return Path(self.path).stat()


def discovered(spark: SparkSession, landing: Path, state: Path) -> list[FoundFile]:
    """Let Auto Loader note what has come, and return all files that it ever noted in the folder and that are not gone.

    Raises:
        CannotRunError: there is no Auto Loader here.
    """
    folder = state / "discovery"
    try:
        came = _stream(spark, landing).select("path", "length", "modificationTime")
        writer = came.writeStream.format("parquet").option("checkpointLocation", str(folder / "checkpoint"))
        writer.trigger(availableNow=True).start(str(folder / "found")).awaitTermination()
    except Exception as error:
        if "cloudFiles" not in str(error):
            raise
        raise CannotRunError(
            "There is no Auto Loader here: it is a part of Databricks.", "let metadata/environments.yml say `discovery: list`."
        ) from error
    rows = spark.read.parquet(str(folder / "found")).selectExpr("path", "length", "unix_millis(modificationTime) AS modified_ms").collect()
    last: dict[str, FoundFile] = {}
    for path, size, modified_ms in sorted((_plain(row["path"]), row["length"], row["modified_ms"]) for row in rows):
        if Path(path).parent == landing:
            last[path] = max(last.get(path, FoundFile(path, size, modified_ms)), FoundFile(path, size, modified_ms), key=_age)
    return list(last.values())


def _age(file: FoundFile) -> int:
    return file.modified_ms


def _plain(path: str) -> str:
    """Return a path without what storage writes before it.

    >>> _plain("dbfs:/Volumes/a b/x.csv"), _plain("file:///landing/x.csv"), _plain("/landing/x:y.csv")
    ('/Volumes/a b/x.csv', '/landing/x.csv', '/landing/x:y.csv')
    """
    scheme, _, rest = path.partition(":")
    return path if "/" in scheme else "/" + rest.lstrip("/")


def _stream(spark: SparkSession, landing: Path) -> DataFrame:
    """Return what Auto Loader tells of files; of a file that is replaced it tells again."""
    reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "binaryFile")
    return reader.option("cloudFiles.allowOverwrites", "true").load(str(landing))
