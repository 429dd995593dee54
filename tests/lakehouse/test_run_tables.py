"""Runs kept as tables: each once, whatever happens to the run that writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from framework import runner
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.run_tables import SCHEMAS
from framework.lakehouse.tables import FolderTables
from framework.spec.project import read_project
from tests.test_chaos import KilledError
from tests.test_run import HEADER, lakepact, library

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pyspark.sql import SparkSession

__all__ = ["library"]


def run(root: Path) -> runner.RunReport:
    """Run with the tables of runs."""
    return runner.run(Lakehouse(read_project(root), "local"), "all")


def kept(spark: SparkSession, root: Path, table: str) -> list[dict[str, Any]]:
    """Return a table's rows."""
    rows = spark.read.format("delta").load(str(root / "warehouse" / table)).orderBy("run_id").collect()
    return [row.asDict(recursive=True) for row in rows]


def test_runs_are_kept_once_and_as_the_run_log_has_them(spark: SparkSession, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (library / "metadata/environments.yml").write_text("local: {kind: folders, warehouse: warehouse, landing: landing}\n")
    contract = library / "contracts/silver_loans.yml"
    contract.write_text(contract.read_text() + "quality: [row_count < 9, {check: row_count > 2, otherwise: warn}]\n")
    (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\nx\tc1\t01/02/2024\tN\n")
    (library / "landing/loans_2.tsv").write_text("wrong\n1\n")
    first = run(library)
    assert not first.unrecorded
    nothing_new = run(library)
    (library / "landing/loans_3.tsv").write_text(HEADER + "2\tc1\t01/02/2024\tN\n")
    # Killed after some of the tables were written, and others not.
    append = FolderTables.append

    def killed(self: FolderTables, table: str, *arguments: Any, **options: Any) -> None:
        if table in {"_tables", "_checks"}:
            raise KilledError
        append(self, table, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(FolderTables, "append", killed)
        try:
            run(library)
        except KilledError:
            pass
        else:
            raise AssertionError
    (library / "landing/loans_4.tsv").write_text(HEADER + "3\tc1\t01/02/2024\tN\n")
    last = run(library)
    log = [json.loads(path.read_text()) for path in sorted((library / "warehouse/_lakepact/runs").glob("*.json"))]
    assert [one["run_id"] for one in log][:2] == [first.run_id, nothing_new.run_id]
    assert log[-1]["run_id"] == last.run_id
    assert [(one["run_id"], one["outcome"], one["seconds"]) for one in kept(spark, library, "_runs")] == [
        (one["run_id"], one["outcome"], one["seconds"]) for one in log
    ]
    counts = ("table", "outcome", "read", "kept", "duplicate", "quarantined", "dropped", "version", "inputs")
    assert sorted(str([one["run_id"], *(one[name] for name in counts)]) for one in kept(spark, library, "_tables")) == sorted(
        str([run["run_id"], *(one[name] for name in counts)]) for run in log for one in run["tables"]
    )
    files = [(run["run_id"], file) for run in log for one in run["tables"] for file in one["files"]]
    assert sorted((one["run_id"], one["file"], one["rows"], one["refused"] or "") for one in kept(spark, library, "_files")) == sorted(
        (run_id, file["name"], file["rows"], file["refused"] or "") for run_id, file in files
    )
    assert [(one["check"], one["outcome"], one["value"]) for one in kept(spark, library, "_checks") if one["run_id"] == first.run_id] == [
        ("row_count < 9", "pass", 1.0),
        ("row_count > 2", "warn", 1.0),
    ]
    assert len({one["run_id"] for one in kept(spark, library, "_checks")}) == 3
    for name in SCHEMAS:
        described = spark.sql(f"DESCRIBE delta.`{library / 'warehouse' / name}`").collect()
        assert all(row["comment"] for row in described), name


def test_a_run_is_done_though_it_cannot_be_recorded(spark: SparkSession, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (library / "metadata/environments.yml").write_text("local: {kind: folders, warehouse: warehouse, landing: landing}\n")

    def full(*_: object) -> None:
        message = "no space left"
        raise OSError(message)

    with monkeypatch.context() as patch:
        patch.setattr("framework.runner.record_runs", full)
        result = lakepact("run", "all", "--project", library)
        assert result.exit_code == 0
        assert "no space left" in result.output
    (library / "landing/loans.tsv").write_text(HEADER)
    run(library)
    assert len(kept(spark, library, "_runs")) == 2


def test_page_tables_command_and_spark_say_the_same(spark: SparkSession, library: Path) -> None:
    (library / "metadata/environments.yml").write_text("local: {kind: folders, warehouse: warehouse, landing: landing}\n")
    lines = "".join(f"{barcode}\tc1\t01/02/2024\tN\n" for barcode in ("1", "1", "2", "x", ""))
    (library / "landing/loans.tsv").write_text(HEADER + lines)
    said = json.loads(lakepact("run", "all", "--project", library, "--format", "json").output)
    page = json.loads(lakepact("report", "--project", library, "--samples", "0", "--format", "json").output)
    names = ("read", "kept", "duplicate", "quarantined", "dropped")
    numbers = {
        "command": {one["table"]: [one[name] for name in names] for one in said["tables"]},
        "page": {one["name"]: [one["record"][name] for name in names] for one in page["tables"]},
        "table": {one["table"]: [one[name] for name in names] for one in kept(spark, library, "_tables")},
    }
    assert numbers["command"] == numbers["page"] == numbers["table"]
    read, passed, _, refused, _ = numbers["command"]["silver_loans"]
    assert (read, passed, refused) == tuple(
        spark.read.format("delta").load(str(library / "warehouse" / name)).count()
        for name in ("bronze_loans", "silver_loans", "silver_loans_quarantine")
    )
    assert refused == 2
    assert (page["record"]["run_id"], page["notes"][0]["title"]) == (said["run_id"], "silver_loans quarantined rows")
