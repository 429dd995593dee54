"""The same contracts run where tables are names in a catalog."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from framework.lakehouse import tables
from framework.lakehouse.lakehouse import Lakehouse
from framework.runner import run
from framework.spec.project import read_project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pyspark.sql import SparkSession

ENVIRONMENT = """here:
  kind: catalog
  catalog: spark_catalog
  schema: lake
  landing: {root}/landing
  state: {root}/state
"""


def test_a_catalog_holds_the_tables_by_name(spark: SparkSession, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests/library/contracts", tmp_path / "contracts")
    shutil.copytree(ROOT / "tests/library/metadata", tmp_path / "metadata")
    (tmp_path / "metadata/environments.yml").write_text(ENVIRONMENT.format(root=tmp_path))
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/members.tsv").write_text("card\tfull name\ttown\tchanged\nc1\tADA\tOSLO\t01/01/2024\n-\t\t\t\n")
    (tmp_path / "landing/loans.tsv").write_text("barcode\tcard\tlent\tbranch\n1\tc1\t01/02/2024\tN\n")
    spark.sql(f"CREATE SCHEMA lake LOCATION '{tmp_path}/warehouse'")
    try:
        lakehouse = Lakehouse(read_project(tmp_path), "here")
        first = run(lakehouse, "all")
        assert [(one.table, one.reason) for one in first.tables if one.outcome != "done"] == []
        assert spark.table("lake.gold_loans").count() == 2
        assert spark.table("lake.silver_members_quarantine").count() == 1
        assert {one.outcome for one in run(lakehouse, "all").tables} == {"unchanged"}
    finally:
        spark.sql("DROP SCHEMA lake CASCADE")


def test_once_in_many_commits_small_files_are_put_together(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_COMMITS_TO_COMPACT", 3)
    there = Lakehouse(read_project(ROOT), "local", warehouse=tmp_path).tables(spark)
    files = []
    for number in range(4):
        there.append("numbers", spark.range(number, number + 1).coalesce(1))
        files.append(len(there.read("numbers").inputFiles()))
    assert files == [1, 2, 3, 1], "each commit but the fourth, of version 3, adds a file"
    assert sorted(row.id for row in there.read("numbers").collect()) == [0, 1, 2, 3]
