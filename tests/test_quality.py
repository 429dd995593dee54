"""Checks on whole tables, as who runs them meets them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.status import standing
from framework.runner import run
from framework.spec.project import read_project
from tests.test_run import HEADER, MEMBERS, lakepact, library, rows

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pyspark.sql import SparkSession

__all__ = ["library"]


def ask(root: Path, table: str, quality: str) -> None:
    """Give a contract other checks."""
    path = root / f"contracts/{table}.yml"
    path.write_text(path.read_text().split("quality:")[0] + f"quality:\n{quality}\n")


def test_a_failed_check_stops_what_is_made_of_the_table_until_it_holds(spark: SparkSession, library: Path) -> None:
    (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n")
    ask(library, "silver_loans", "  - row_count > 1\n  - row_count < 9")
    first = lakepact("run", "all", "--project", library)
    assert first.exit_code == 1
    assert "row_count > 1" in first.output
    assert "silver_loans fails its checks" in first.output
    assert rows(spark, library, "silver_loans") == 1, "the table is written, so that it can be looked at"
    assert not (library / "warehouse/gold_loans").exists()
    # Nothing changed: nothing is asked again, and the reader still waits.
    again = lakepact("run", "all", "--project", library)
    assert again.exit_code == 1
    assert "silver_loans fails its checks" in again.output
    assert not (library / "warehouse/gold_loans").exists()
    status = lakepact("status", "--project", library).output
    assert "Failing checks" in status
    assert "silver_loans: row_count > 1" in status
    # A layer run alone does not read what failed either.
    assert lakepact("run", "gold", "--project", library).exit_code == 1
    assert not (library / "warehouse/gold_loans").exists()
    # Other checks: they are made, and the reader follows.
    ask(library, "silver_loans", "  - {check: row_count > 1, otherwise: warn}\n  - row_count < 9")
    assert "check" in lakepact("plan", "--project", library).output
    mended = lakepact("run", "all", "--project", library)
    assert mended.exit_code == 0, mended.output
    assert "1 of 2 passed" in mended.output
    assert "Failing checks" not in lakepact("status", "--project", library).output
    assert rows(spark, library, "gold_loans") == 2, "one of the month, one of the year"


def test_a_change_is_held_against_the_run_before(spark: SparkSession, library: Path) -> None:  # noqa: ARG001 - marks it
    of_members = "{name: of_members, no_rows: SELECT * FROM silver_loans ANTI JOIN silver_members USING (card)}"
    ask(library, "silver_loans", f"  - change percent for row_count < 50\n  - {of_members}")
    (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n2\tc1\t01/02/2024\tN\n")
    first = lakepact("run", "all", "--project", library, "--format", "json")
    assert first.exit_code == 0, first.output
    (library / "landing/loans_2.tsv").write_text(HEADER + "3\tc1\t01/02/2024\tN\n4\tc1\t01/02/2024\tN\n")
    second = lakepact("run", "all", "--project", library)
    assert second.exit_code == 1
    assert "is 100, was 2, is 4" in second.output
    # Whoever looks again finds what was there then, not what is there now.
    assert lakepact("run", "all", "--project", library).exit_code == 1


def test_without_soda_a_run_says_which_checks_were_not_made(
    spark: SparkSession,  # noqa: ARG001 - marks it
    library: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("framework.refresh.quality.is_installed", lambda: False)
    (library / "landing/members.tsv").write_text(MEMBERS)
    ask(library, "silver_loans", "  - row_count >= 5")
    first = lakepact("run", "all", "--project", library)
    assert first.exit_code == 0
    assert "not made" in first.output
    assert "lakepact[quality]" in first.output
    monkeypatch.undo()
    second = lakepact("run", "all", "--project", library)
    assert second.exit_code == 1, "it is made as soon as it can be"
    assert "row_count >= 5" in second.output


def test_a_table_grows_stale_while_nobody_runs_anything(spark: SparkSession, library: Path) -> None:  # noqa: ARG001 - marks it
    path = library / "contracts/silver_members.yml"
    path.write_text(path.read_text() + "quality: [freshness(changed) < 800d]\n")
    lakehouse = Lakehouse(read_project(library), "local")
    then = datetime(2024, 2, 1, 12, tzinfo=timezone.utc)
    assert run(lakehouse, "all", now=lambda: then).is_well
    assert standing(lakehouse, then).stale == []
    assert standing(lakehouse, then + timedelta(days=760)).stale == []
    (found,) = standing(lakehouse, then + timedelta(days=780)).stale
    assert (found.table, found.check) == ("silver_members", "freshness(changed) < 800d")
    assert found.age.days == 780 + 30, "the newest change was on the first of January"
