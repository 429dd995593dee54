"""What `lakepact maintain` removes, what it leaves, and that tables are the same after it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from framework.cli import app
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.maintenance import Done, maintain
from framework.lakehouse.tables import CatalogTables, FolderTables
from framework.plan.maintenance import Stored
from framework.runner import run
from framework.spec.metadata import Catalog
from framework.spec.project import read_project
from tests.test_run import library_in

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

NOW = datetime.now(timezone.utc)
LOANS = """branch\tbarcode\tcard\tlent\treturned
N\t10\tc1\t05/01/2024\t08/01/2024
S\t11\tc1\t31/01/2024\t
Q\t12\tc1\t{recent}\t
N\tx\tc1\t01/02/2024\t
"""
RECENT = NOW - timedelta(days=3)


@pytest.fixture
def lakehouse(spark: SparkSession, tmp_path: Path) -> Lakehouse:  # noqa: ARG001 - the run's session
    """Return a library in which loans are kept for 90 days, after a run."""
    root = library_in(tmp_path / "a library")
    (root / "landing/loans.tsv").write_text(LOANS.format(recent=f"{RECENT:%d/%m/%Y}"))
    for path in (root / "contracts").glob("*.yml"):
        retention = "retention: {days: 90, by: lent, time_travel: {days: 30}}\n" if path.stem == "silver_loans" else ""
        clustering = "cluster_by: [town, lent]\n" if path.stem == "silver_loans" else ""
        path.write_text(path.read_text() + retention + clustering)
    environments = root / "metadata/environments.yml"
    environments.write_text(environments.read_text().replace("run_tables: false", "run_tables: true"))
    found = Lakehouse(read_project(root), "local")
    assert run(found, "all").is_well
    return found


def state_of(lakehouse: Lakehouse, spark: SparkSession, *tables: str) -> dict[str, list[str]]:
    """Return all rows of tables, technical columns left out, sorted."""
    found = {}
    for name in tables:
        rows = lakehouse.tables(spark).read(name)
        kept = rows.select(*(f"`{one}`" for one in rows.columns if not one.startswith("_")))
        found[name] = sorted(str(row) for row in kept.collect())
    return found


def kinds(found: list[Done], table: str) -> list[str]:
    """Return what was done to a table."""
    assert not [one.error for one in found if one.error]
    return [one.task.kind for one in found if one.task.table == table]


def test_rows_past_their_days_go_and_what_is_made_of_them_follows(lakehouse: Lakehouse, spark: SparkSession) -> None:
    barcodes = lakehouse.tables(spark).read("silver_loans").select("barcode")
    assert sorted(row[0] for row in barcodes.collect()) == [10, 11, 12]
    before = {name: lakehouse.tables(spark).version(name) for name in lakehouse.project.tables}

    would = maintain(lakehouse, ["silver_loans"], NOW, dry_run=True)
    assert [(one.task.kind, one.count) for one in would if one.task.table == "silver_loans"][:3] == [
        ("rows", 2),
        ("keep", None),
        ("cluster", None),
    ]
    assert {name: lakehouse.tables(spark).version(name) for name in before} == before, "a dry run touches nothing"

    assert kinds(maintain(lakehouse, ["silver_loans"], NOW), "silver_loans")[:4] == ["rows", "purge", "keep", "cluster"]
    assert [row[0] for row in lakehouse.tables(spark).read("silver_loans").select("barcode").collect()] == [12]
    held = [unquote(path) for path in lakehouse.tables(spark).read("silver_loans").inputFiles()]
    raw = spark.read.parquet(*held).select("barcode").collect()
    assert [row[0] for row in raw] == [12], "the file of today's state holds no row that went"
    stored = lakehouse.tables(spark).stored("silver_loans")
    assert stored.clustered_by == ("town", "lent")
    assert dict(stored.properties)["delta.deletedFileRetentionDuration"] == "interval 30 days"

    after = {one.table: one for one in run(lakehouse, "all").tables}
    assert after["silver_loans"].outcome == "unchanged", "what maintenance did is no change of its contract or inputs"
    found = state_of(lakehouse, spark, "gold_loans")
    assert not [row for row in found["gold_loans"] if "2024" in row], "groups of loans that went are gone"
    assert kinds(maintain(lakehouse, ["silver_loans"], NOW), "silver_loans") == [], "a second time there is nothing to do"


def test_a_table_without_retention_keeps_every_row_and_its_clustering_goes_with_the_contracts_line(
    lakehouse: Lakehouse, spark: SparkSession
) -> None:
    path = lakehouse.project.root / "contracts/silver_loans.yml"
    maintain(lakehouse, ["silver_loans"], NOW)
    names = [name for name in lakehouse.project.tables if name not in {"silver_loans", "gold_loans"}]
    before = state_of(lakehouse, spark, *names)
    path.write_text(path.read_text().replace("cluster_by: [town, lent]\n", "").replace("days: 90, by: lent, ", ""))
    again = Lakehouse(read_project(lakehouse.project.root), "local")
    assert "cluster" in kinds(maintain(again, (), NOW), "silver_loans")
    assert again.tables(spark).stored("silver_loans").clustered_by == ()
    assert state_of(again, spark, *names) == before
    assert all(one.outcome == "unchanged" for one in run(again, "silver").tables)


def test_files_of_old_states_go_once_nobody_can_read_them(lakehouse: Lakehouse, spark: SparkSession) -> None:
    folder: Path = lakehouse.warehouse / "silver_loans"  # type: ignore[operator] # an environment of folders
    spark.sql(f"ALTER TABLE delta.`{folder}` SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 0 seconds')")
    path = lakehouse.project.root / "contracts/silver_loans.yml"
    path.write_text(path.read_text().replace(", time_travel: {days: 30}", ""))
    again = Lakehouse(read_project(lakehouse.project.root), "local")
    before = {one.name for one in folder.glob("*.parquet")}
    found = maintain(again, ["silver_loans"], NOW)
    assert kinds(found, "silver_loans")[-1] == "vacuum"
    assert (found[-1].count or 0) >= 1
    assert not {one.name for one in folder.glob("*.parquet")} & before, "rows that went stand in no file any more"
    assert [row[0] for row in again.tables(spark).read("silver_loans").select("barcode").collect()] == [12]


def test_runs_past_their_days_are_forgotten_but_the_last(lakehouse: Lakehouse, spark: SparkSession) -> None:
    (lakehouse.project.root / "landing/more.tsv").write_text("nobody asks for it")
    (lakehouse.project.root / "landing/members_late.tsv").write_text("card\tfull name\ttown\tchanged\nc7\tG\tOSLO\t01/01/2024\n")
    run(lakehouse, "all")
    first, last = reversed(lakehouse.state.run_ids())
    assert lakehouse.tables(spark).read("_runs").count() == 2
    found = maintain(lakehouse, (), NOW + timedelta(days=401))
    assert [(one.task.kind, one.count) for one in found if not one.task.table] == [("runs", 1)]
    assert (lakehouse.state.run_ids(), lakehouse.state.run(first)) == ([last], None)
    texts = {one["contract"] for one in lakehouse.state.runs()[0]["tables"]}
    assert all(lakehouse.state.contract_text(text) for text in texts), "the texts that the last run speaks of stay"
    assert lakehouse.tables(spark).read("_runs").count() == 0
    run(lakehouse, "all")
    rows = lakehouse.tables(spark).read("_runs").select("run_id").collect()
    assert [row[0] for row in rows] == lakehouse.state.run_ids()[:1], "what was forgotten is not recorded once more"


def test_one_task_that_cannot_be_done_is_told_and_the_others_are_done(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch, spark: SparkSession
) -> None:
    real = FolderTables.carry_out

    def refuse(self: FolderTables, table: str, statement: str) -> None:
        if statement.startswith("DELETE"):
            message = "[SOMEBODY_WRITES] another commit came first.\nstack"
            raise RuntimeError(message)
        real(self, table, statement)

    monkeypatch.setattr(FolderTables, "carry_out", refuse)
    told = CliRunner().invoke(app, ["maintain", "silver_loans", "--project", str(lakehouse.project.root)])
    assert told.exit_code == 1
    assert "could not be done: [SOMEBODY_WRITES] another commit came first." in told.output
    assert "stack" not in told.output
    assert lakehouse.tables(spark).stored("silver_loans").clustered_by == ("town", "lent")
    monkeypatch.undo()
    assert kinds(maintain(lakehouse, ["silver_loans"], NOW), "silver_loans")[:2] == ["rows", "purge"], "the next time it is made good"


def test_a_catalog_that_lets_nobody_remove_files_is_left_to_it(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def blocked(*_: object) -> int:
        message = "[DELTA_UNSUPPORTED_CATALOG_MANAGED_TABLE_OPERATION] VACUUM is blocked by the catalog.\nstack"
        raise RuntimeError(message)

    monkeypatch.setattr(FolderTables, "old_files", blocked)
    found = maintain(lakehouse, ["silver_members"], NOW)
    assert [(one.task.kind, one.error) for one in found] == [("left", "")]


def test_killed_between_two_tasks_the_next_time_does_the_rest(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch, spark: SparkSession
) -> None:
    real = FolderTables.carry_out

    def killed(self: FolderTables, table: str, statement: str) -> None:
        if statement.startswith("REORG"):
            raise KeyboardInterrupt
        real(self, table, statement)

    monkeypatch.setattr(FolderTables, "carry_out", killed)
    with pytest.raises(KeyboardInterrupt):
        maintain(lakehouse, ["silver_loans"], NOW)
    monkeypatch.undo()
    assert kinds(maintain(lakehouse, ["silver_loans"], NOW), "silver_loans")[0] == "purge"
    held = [unquote(path) for path in lakehouse.tables(spark).read("silver_loans").inputFiles()]
    assert [row[0] for row in spark.read.parquet(*held).select("barcode").collect()] == [12]
    run(lakehouse, "all")
    maintain(lakehouse, ["silver_loans"], NOW)
    assert [row[0] for row in lakehouse.tables(spark).read("silver_loans").select("barcode").collect()] == [12]


def test_the_command_says_what_goes(lakehouse: Lakehouse) -> None:
    root = str(lakehouse.project.root)
    told = CliRunner().invoke(app, ["maintain", "silver_loans", "--dry-run", "--project", root])
    assert told.exit_code == 0
    oldest = (NOW - timedelta(days=90)).date()
    assert f"silver_loans: 2 rows would go  rows are kept 90 days by lent: those before {oldest} go" in told.output
    found = CliRunner().invoke(app, ["maintain", "silver_loans", "--dry-run", "--project", root, "--format", "json"])
    records: list[dict[str, Any]] = json.loads(found.output)
    assert {"table": "silver_loans", "kind": "rows", "count": 2, "error": ""}.items() <= records[0].items()
    wrong = CliRunner().invoke(app, ["maintain", "silver_lons", "--project", root])
    assert wrong.exit_code == 2
    assert 'did you mean "silver_loans"' in wrong.output


def test_a_platform_that_looks_after_files_is_left_to_it() -> None:
    class Told:
        def __init__(self, rows: list[dict[str, str]]) -> None:
            self.rows = rows

        def sql(self, _: str) -> Told:
            return self

        def where(self, _: str) -> Told:
            return self

        def take(self, _: int) -> list[dict[str, str]]:
            return self.rows

    place = {"kind": "catalog", "catalog": "c", "schema": "s", "landing": "/l", "state": "/s"}
    for said, rows, is_left in (
        ("engine", [], False),
        ("engine", [{"data_type": "DISABLE (inherited from METASTORE m)"}], False),
        ("engine", [{"data_type": "ENABLE (inherited from CATALOG c)"}], True),
        ("platform", [], True),
    ):
        tables = CatalogTables(Catalog.model_validate({**place, "upkeep": said}), Told(rows))  # type: ignore[arg-type] # what it asks
        assert tables._is_kept_by_platform("t") is is_left, (said, rows)  # noqa: SLF001 - what `stored` says of it
    assert not Stored(1, 1).is_kept_by_platform
