"""A library's loans run through the same engine without a line of code."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.lakehouse.lakehouse import Lakehouse
from framework.runner import run
from framework.spec.project import read_project

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE = Path(__file__).parent
MEMBERS = """card\tfull name\ttown\tchanged
c1\tADA  B\toslo\t01/01/2024
c1\tADA B\tbergen\t01/03/2024
c2\t-\toslo\t01/01/2024
"""
LOANS = """branch\tbarcode\tcard\tlent\treturned
N\t10\tc1\t05/01/2024\t08/01/2024
N\t10\tc1\t05/01/2024\t-
S\t11\tc1\t31/01/2024\t30/01/2024
Q\t12\tc1\t01/02/2024\t03/02/2024
N\t13\tc9\t01/02/2024\t
N\tx\tc9\t31.02.2024\t
"""
LATE = """card\tfull name\ttown\tchanged
c9\tNINE\tNICE\t01/01/2023
c1\tADA B\tBERGEN\t01/05/2024
"""


def test_a_foreign_product_runs_on_contracts_alone(spark: SparkSession, tmp_path: Path) -> None:
    shutil.copytree(HERE / "contracts", tmp_path / "contracts")
    shutil.copytree(HERE / "metadata", tmp_path / "metadata")
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "members.tsv").write_text(MEMBERS)
    (landing / "loans.tsv").write_text(LOANS)
    lakehouse = Lakehouse(read_project(tmp_path), "local")

    def rows(table: str, *columns: str) -> list[tuple[Any, ...]]:
        found = spark.read.format("delta").load(str(tmp_path / "warehouse" / table)).select(*(f"`{name}`" for name in columns))
        return sorted((tuple(row) for row in found.collect()), key=repr)

    first = run(lakehouse, "all")
    assert [(one.table, one.reason) for one in first.tables if one.outcome != "done"] == []
    assert rows("silver_members", "card", "full name", "town", "changed", "changed_again", "is_current") == [
        ("c1", "ADA B", "Bergen", date(2024, 3, 1), None, True),
        ("c1", "ADA B", "Oslo", date(2024, 1, 1), date(2024, 3, 1), False),
    ]
    assert rows("silver_loans", "barcode", "lent", "returned", "days", "town") == [
        (10, date(2024, 1, 5), date(2024, 1, 8), 3, "Northgate"),
        (11, date(2024, 1, 31), None, None, "Southgate"),
        (12, date(2024, 2, 1), date(2024, 2, 3), 2, "elsewhere"),
    ]
    quarantined = spark.read.format("delta").load(str(tmp_path / "warehouse" / "silver_loans_quarantine"))
    reasons = sorted((row["barcode"], [reason["rule"] for reason in row["_reasons"]]) for row in quarantined.collect())
    assert reasons == [("13", ["known_reader"]), ("x", ["barcode_readable", "known_reader", "lent_readable"])]

    (landing / "members_late.tsv").write_text(LATE)
    second = {one.table: one for one in run(lakehouse, "all").tables}
    assert second["bronze_loans"].outcome == "unchanged"
    assert second["silver_members"].duplicate == 1, "the same content with a newer date is no new version"
    assert (second["silver_loans"].kept, second["silver_loans"].quarantined) == (4, 1), "the orphan is released"
    assert rows("gold_loans", "period_type", "period_start", "town", "loans", "copies", "days out") == [
        ("month", date(2024, 1, 1), "Northgate", 1, 1, Decimal("3.0")),
        ("month", date(2024, 1, 1), "Southgate", 1, 1, None),
        ("month", date(2024, 2, 1), "Northgate", 1, 1, None),
        ("month", date(2024, 2, 1), "elsewhere", 1, 1, Decimal("2.0")),
        ("year", date(2024, 1, 1), "Northgate", 2, 2, Decimal("3.0")),
        ("year", date(2024, 1, 1), "Southgate", 1, 1, None),
        ("year", date(2024, 1, 1), "elsewhere", 1, 1, Decimal("2.0")),
    ]
    before = {table: lakehouse.tables(None).version(table) for table in lakehouse.project.contracts}
    third = run(lakehouse, "all")
    assert {one.outcome for one in third.tables} == {"unchanged"}
    assert {table: lakehouse.tables(None).version(table) for table in before} == before, "nothing new writes nothing"
