"""The first product's gold tables equal the truth, cell by cell, after each delivery."""

from __future__ import annotations

import csv
import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from framework.lakehouse.lakehouse import Lakehouse
from framework.runner import run
from samples.generate import generate
from tests.conftest import ROOT
from tests.product.truth import Truth

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from framework.spec.project import Project


# Nobody can be reached before the first e-mail address is delivered.
EMPTY = {("gold_marketing_customers", "delivery_1"), ("gold_customer_categories", "delivery_1")}


def zones() -> dict[str, str]:
    """Return the time zone of each state."""
    with (ROOT / "metadata/reference/us_states.csv").open(encoding="utf-8") as lines:
        return {row["state"]: row["timezone"] for row in csv.DictReader(lines)}


def rows_of(spark: SparkSession, warehouse: Path, table: str) -> list[tuple[Any, ...]]:
    """Return a table's rows as tuples, arrays as tuples too."""
    found = spark.read.format("delta").load(str(warehouse / table)).collect()
    return [tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row) for row in found]


@pytest.mark.parametrize(("seed", "orders", "compiled"), [(1, 400, False), (2, 150, True), (3, 60, False)])
def test_gold_is_right_to_the_cent_after_each_delivery(  # noqa: PLR0913 - fixtures and parameters
    spark: SparkSession, product: Project, tmp_path: Path, seed: int, orders: int, *, compiled: bool
) -> None:
    # Large runs compile their queries, small ones interpret them: both must give the same.
    spark.conf.set("spark.sql.codegen.wholeStage", str(compiled).lower())
    spark.conf.set("spark.sql.codegen.factoryMode", "FALLBACK" if compiled else "NO_CODEGEN")
    landing, warehouse, truth = tmp_path / "landing", tmp_path / "warehouse", Truth(zones())
    landing.mkdir()
    for delivery in generate(tmp_path / "deliveries", orders, seed):
        truth.deliver(delivery)
        for path in delivery.iterdir():
            shutil.copy2(path, landing)
        report = run(Lakehouse(product, "local", landing, warehouse), "all")
        assert report.is_well, [one for one in report.tables if one.outcome != "done"]
        for table, expected in truth.gold(datetime.now(timezone.utc)).items():
            found = rows_of(spark, warehouse, table)
            assert expected or (table, delivery.name) in EMPTY, table
            assert len(found) == len(set(found)), table
            assert set(found) == expected, table
        lines = rows_of(spark, warehouse, "silver_order_lines")
        revenue = sum(line[8] for line in lines)
        for kind in ("day", "week", "month", "year"):
            assert sum(row[5] for row in rows_of(spark, warehouse, "gold_sales_by_product") if row[0] == kind) == revenue
