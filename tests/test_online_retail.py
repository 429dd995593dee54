"""The real shop's files, where they are there, against plain Python; elsewhere the contracts are only read."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import pytest

from framework.lakehouse.lakehouse import Lakehouse
from framework.runner import run
from framework.spec.project import read_project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

EXAMPLE = ROOT / "examples/online_retail"
FILES = ROOT.parent / "shared/online_retail"


def test_the_contracts_are_valid() -> None:
    assert len(read_project(EXAMPLE).contracts) == 7


@pytest.mark.skipif(not FILES.is_dir(), reason="the real files are not on this machine (shared/online_retail beside the project)")
def test_totals_are_those_of_plain_python(spark: SparkSession, tmp_path: Path) -> None:
    delivered, seen = Counter[str](), set()
    revenue: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    quantity, cancelled = Counter[tuple[str, str, str]](), Decimal(0)
    spent: dict[int, Decimal] = defaultdict(Decimal)
    for path in sorted(FILES.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for line in csv.DictReader(lines):
                delivered["rows"] += 1
                cells = tuple(" ".join(cell.split()) for cell in line.values())
                invoice, stock_code, _, units, at, price, customer, country = cells
                amount = (int(units) * Decimal(price)).quantize(Decimal("0.01"), ROUND_HALF_UP)
                if invoice.startswith("C"):
                    cancelled += amount if cells not in seen else 0
                elif int(units) <= 0 or Decimal(price) <= 0:
                    delivered["quarantined"] += 1
                elif cells in seen:
                    delivered["repeats"] += 1
                else:
                    key = (at[:10], country, stock_code.upper())
                    revenue[key] += amount
                    quantity[key] += int(units)
                    if customer:
                        spent[int(Decimal(customer))] += amount
                seen.add(cells)

    report = {one.table: one for one in run(Lakehouse(read_project(EXAMPLE), "local", FILES, tmp_path / "warehouse"), "all").tables}
    assert {one.outcome for one in report.values()} == {"done"}
    assert report["bronze_lines"].read == delivered["rows"] == 95_054
    lines_ = report["silver_sales_lines"]
    assert (lines_.quarantined, lines_.duplicate) == (delivered["quarantined"], delivered["repeats"])

    daily = spark.read.format("delta").load(str(tmp_path / "warehouse/gold_daily_sales")).collect()
    assert {(str(row["day"]), row["country"], row["stock_code"]): row["revenue"] for row in daily} == revenue
    assert {(str(row["day"]), row["country"], row["stock_code"]): row["quantity"] for row in daily} == quantity
    customers = spark.read.format("delta").load(str(tmp_path / "warehouse/gold_customers")).collect()
    assert {row["customer_id"]: row["revenue"] for row in customers if row["revenue"]} == {k: v for k, v in spent.items() if v}
    taken_back = spark.read.format("delta").load(str(tmp_path / "warehouse/silver_cancelled_lines")).collect()
    assert sum(row["amount"] for row in taken_back) == cancelled
