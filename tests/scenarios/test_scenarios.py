"""Every scenario folder holds contracts, input rows and expected rows; all of them go through one real run."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framework.lakehouse.lakehouse import Lakehouse
from framework.runner import RunReport, run
from framework.spec.project import read_project

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE = Path(__file__).parent
SCENARIOS = sorted(path.name for path in HERE.iterdir() if (path / "expected").is_dir())
EXPECTED = [(name, path.name) for name in SCENARIOS for path in sorted((HERE / name / "expected").glob("*.csv"))]


@pytest.fixture(scope="module")
def ran(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunReport]:
    """Run all scenarios at once; return the warehouse and the report."""
    assert spark
    root = tmp_path_factory.mktemp("scenarios")
    shutil.copytree(HERE / "metadata", root / "metadata")
    (root / "landing").mkdir()
    for name in SCENARIOS:
        for contract in (HERE / name).glob("*.yml"):
            (root / "contracts" / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(contract, root / "contracts" / name)
        for path in sorted((HERE / name / "input").iterdir()):
            shutil.copy(path, root / "landing")
    report = run(Lakehouse(read_project(root), "local"), "all")
    return root / "warehouse", report


@pytest.mark.parametrize(("scenario", "expected"), EXPECTED)
def test_scenario(spark: SparkSession, ran: tuple[Path, RunReport], scenario: str, expected: str) -> None:
    warehouse, report = ran
    wanted = _rows(HERE / scenario / "expected" / expected)
    if expected == "counts.csv":
        found = {one.table: one for one in report.tables}
        for row in wanted:
            table = found[row.pop("table")]
            assert {name: str(getattr(table, name)) for name in row} == row, table
        return
    if expected == "rules.csv":
        tables = {row["table"] for row in wanted}
        counts = [(one.table, rule, str(told["rows"])) for one in report.tables if one.table in tables for rule, told in one.rules.items()]
        assert sorted(counts) == sorted((row["table"], row["rule"], row["rows"]) for row in wanted)
        return
    rows = spark.read.format("delta").load(str(warehouse / expected.removesuffix(".csv")))
    if "_reasons" in rows.columns:
        rows = rows.selectExpr("*", "concat_ws('; ', _reasons.rule) as _told").drop("_reasons").withColumnRenamed("_told", "_reasons")
    columns = list(wanted[0])
    selected = rows.selectExpr(*(f"coalesce(cast(`{name}` as string), '')" for name in columns))
    assert sorted(tuple(row) for row in selected.collect()) == sorted(tuple(row.values()) for row in wanted)


def test_every_scenario_ran_well(ran: tuple[Path, RunReport]) -> None:
    _, report = ran
    assert [(one.table, one.reason) for one in report.tables if one.outcome != "done"] == []


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
