"""Files that Auto Loader tells of: with Spark's own stream of files in its place, which notes the same of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from framework.lakehouse import discovery
from framework.lakehouse.discovery import discovered
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.landing import find_files
from framework.spec.metadata import Catalog
from framework.spec.problem import CannotRunError
from tests.lakehouse.test_landing import TABLE

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from framework.spec.project import Project

HEADER = ",".join(column.name for column in TABLE.columns)
SCHEMA = "path string, modificationTime timestamp, length bigint, content binary"


def _plain_stream(spark: SparkSession, landing: Path) -> DataFrame:
    return spark.readStream.format("binaryFile").schema(SCHEMA).load(str(landing))


def test_what_was_told_of_is_new_until_the_ledger_knows_it(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_stream", _plain_stream)
    landing, state = tmp_path / "landing zone", tmp_path / "state"
    (landing / "deeper").mkdir(parents=True)
    for name in ("x_1.csv", "x_2.csv", "y.txt", "deeper/x_3.csv"):
        (landing / name).write_text(f"{HEADER}\n1,a\n")
    entries = discovered(spark, landing, state)
    assert [one.name for one in entries] == ["x_1.csv", "x_2.csv", "y.txt"], "what lies deeper is not in the folder"
    new, refused = find_files(entries, TABLE, ())
    assert ([file.name for file in new], refused) == (["x_1.csv", "x_2.csv"], ())
    known = {file.identity for file in new}
    monkeypatch.setattr(discovery.FoundFile, "stat", lambda _: pytest.fail("the storage is not asked for what is known"))
    assert find_files(discovered(spark, landing, state), TABLE, known) == ((), ())
    monkeypatch.undo()
    monkeypatch.setattr(discovery, "_stream", _plain_stream)

    (landing / "x_4.csv").write_text(f"{HEADER}\n2,b\n")
    (landing / "x_1.csv").unlink()
    new, _ = find_files(discovered(spark, landing, state), TABLE, known)
    assert [file.name for file in new] == ["x_4.csv"]
    (landing / "x_2.csv").write_text(f"{HEADER}\n9,replaced\n")
    os.utime(landing / "x_2.csv", ns=(10**18, 10**18))
    status = (landing / "x_2.csv").stat()
    again = discovery.FoundFile(str(landing / "x_2.csv"), status.st_size, status.st_mtime_ns // 10**6)
    assert [file.name for file in find_files([again], TABLE, known)[0]] == ["x_2.csv"], "a replaced file is told of again"


def test_auto_loader_is_asked_for_names_only_and_again_for_what_is_replaced(tmp_path: Path) -> None:
    said: dict[str, Any] = {}

    class Reader:
        readStream = property(lambda self: self)  # noqa: N815 - Spark's name

        def format(self, name: str) -> Reader:
            said["format"] = name
            return self

        def option(self, name: str, value: str) -> Reader:
            said[name] = value
            return self

        def load(self, path: str) -> str:
            return path

    assert str(discovery._stream(Reader(), tmp_path)) == str(tmp_path)  # type: ignore[arg-type] # noqa: SLF001 - there is no Auto Loader to ask
    assert said == {"format": "cloudFiles", "cloudFiles.format": "binaryFile", "cloudFiles.allowOverwrites": "true"}


def test_an_environment_says_it_and_elsewhere_it_is_told_what_is_missing(spark: SparkSession, product: Project, tmp_path: Path) -> None:
    lakehouse = Lakehouse(product, "databricks", landing=tmp_path)
    assert isinstance(lakehouse.environment, Catalog)
    assert lakehouse.entries(spark) == []
    lakehouse.environment = lakehouse.environment.model_copy(update={"discovery": "auto_loader"})
    with pytest.raises(CannotRunError, match="no Auto Loader here"):
        lakehouse.entries(spark)
