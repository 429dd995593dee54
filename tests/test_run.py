"""A run as its user meets it: through the command line, with deliveries and folders that are not as they should be."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from framework import runner
from framework.cli import app
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.tables import FolderTables
from framework.plan.steps import Load, LoadFiles
from framework.spec.project import read_project
from framework.transforms.columns import mapped
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

HEADER = "barcode\tcard\tlent\tbranch\n"
MEMBERS = "card\tfull name\ttown\tchanged\nc1\tADA\tOSLO\t01/01/2024\n"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return a folder with the library's contracts and one good delivery, its path holding a blank."""
    return library_in(tmp_path / "a library")


def library_in(root: Path) -> Path:
    """Make a folder with the library's contracts and one good delivery."""
    shutil.copytree(ROOT / "tests/library/contracts", root / "contracts")
    shutil.copytree(ROOT / "tests/library/metadata", root / "metadata")
    (root / "landing").mkdir()
    (root / "landing/members.tsv").write_text(MEMBERS)
    return root


def lakepact(*arguments: str | Path) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def rows(spark: SparkSession, root: Path, table: str) -> int:
    """Return the number of rows of a table."""
    return spark.read.format("delta").load(str(root / "warehouse" / table)).count()


class TestBeforeSparkStarts:
    """Mistakes that are told at once."""

    def test_an_unknown_environment(self, library: Path) -> None:
        result = lakepact("run", "all", "--project", library, "--env", "loacl")
        assert result.exit_code == 2
        assert 'did you mean "local"' in result.output

    def test_an_unknown_layer_or_table(self, library: Path) -> None:
        assert lakepact("run", "silvr", "--project", library).exit_code == 2
        result = lakepact("run", "all", "--table", "gold_lons", "--project", library)
        assert result.exit_code == 2
        assert 'did you mean "gold_loans"' in result.output

    def test_a_folder_without_contracts(self, tmp_path: Path) -> None:
        result = lakepact("validate", "--project", tmp_path)
        assert result.exit_code == 2
        assert "--project" in result.output

    def test_the_project_is_found_upwards(self, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(library / "contracts")
        result = lakepact("validate")
        assert result.exit_code == 0
        assert "5 contracts are valid" in result.output

    def test_no_landing_folder(self, library: Path) -> None:
        result = lakepact("run", "all", "--project", library, "--landing", library / "nowhere")
        assert result.exit_code == 2
        assert "--landing" in result.output

    def test_a_warehouse_that_cannot_be_written(self, library: Path) -> None:
        (library / "file").write_text("")
        result = lakepact("run", "all", "--project", library, "--warehouse", library / "file" / "warehouse")
        assert result.exit_code == 2
        assert "cannot be written" in result.output

    def test_a_broken_contract(self, library: Path) -> None:
        broken = library / "contracts/gold_loans.yml"
        broken.write_text(broken.read_text().replace("of: lent", "of: lnt"))
        for command in (["validate"], ["run", "all"], ["plan"], ["show", "gold_loans"]):
            result = lakepact(*command, "--project", library)
            assert result.exit_code == 1
            assert "gold_loans.yml:5:15: unknown-column" in result.output
            assert 'did you mean "lent"' in result.output
        assert not (library / "warehouse").exists()

    def test_validate_says_it_as_json_too(self, library: Path) -> None:
        assert json.loads(lakepact("validate", "--project", library, "--format", "json").output) == []
        (library / "contracts/gold_loans.yml").write_text("table: [")
        result = lakepact("validate", "--project", library, "--format", "json")
        assert result.exit_code == 1
        assert [problem["code"] for problem in json.loads(result.output)] == ["invalid-yaml"]

    def test_plan_changes_nothing_and_needs_no_spark(self, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("framework.lakehouse.lakehouse.start_session", lambda *_: pytest.fail("Spark was started"))
        result = lakepact("plan", "--project", library, "--format", "json")
        assert result.exit_code == 0
        found = {step["table"]: step["step"] for step in json.loads(result.output)}
        assert found["bronze_members"] == "LoadFiles"
        assert found["gold_loans"] == "RefreshTable"
        assert not (library / "warehouse").exists()

    def test_show_tells_where_defaults_come_from(self, library: Path) -> None:
        result = lakepact("show", "silver_members", "--project", library)
        assert result.exit_code == 0
        assert "# from metadata/layers.yml:11, defaults of silver" in result.output
        assert lakepact("show", "silver_member", "--project", library).exit_code == 2

    def test_status_before_any_run(self, library: Path) -> None:
        assert "No run yet" in lakepact("status", "--project", library).output


class TestDeliveries:
    """Files that are not as they should be: each is told, the others go on."""

    def test_bad_files_are_refused_whole_and_taken_once_they_are_mended(self, spark: SparkSession, library: Path) -> None:
        landing = library / "landing"
        (landing / "loans_good.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n")
        (landing / "loans_header_only.tsv").write_text(HEADER)
        (landing / "loans_empty.tsv").write_text("")
        (landing / "loans_directory.tsv").mkdir()
        (landing / "loans_short_header.tsv").write_text("barcode\tcrd\tlent\tbranch\n2\tc1\t01/02/2024\tN\n")
        (landing / "loans_twice.tsv").write_text("barcode\tcard\tlent\tbranch\tcard\n")
        (landing / "loans_latin.tsv").write_bytes((HEADER + "3\tcaf\u00e9\t01/02/2024\tN\n").encode("latin-1"))
        (landing / "loans_ragged.tsv").write_text(HEADER + "4\tc1\n5\tc1\t01/02/2024\tN\tmore\n")

        (landing / "lons.tsv").write_text(HEADER)
        result = lakepact("run", "all", "--project", library)
        assert result.exit_code == 1
        assert "lons.tsv lies in the landing folder, and no contract's pattern matches it" in result.output
        for name, why in {
            "loans_empty.tsv": "it is empty",
            "loans_directory.tsv": "it is a directory",
            "loans_short_header.tsv": "its header lacks the column card",
            "loans_twice.tsv": "its header names a column twice: card",
            "loans_latin.tsv": "it is not UTF-8: byte 31 is 0xe9",
        }.items():
            assert f"refused {name} (bronze_loans): {why}" in result.output
        assert 'did you mean "crd"' in result.output
        assert "2 rows of loans_ragged.tsv have too few or too many fields" in result.output
        assert rows(spark, library, "bronze_loans") == 3
        assert rows(spark, library, "gold_loans") == 2

        again = lakepact("run", "all", "--project", library)
        assert again.exit_code == 1, "what is refused stays refused until somebody mends it"
        assert rows(spark, library, "bronze_loans") == 3

        for name in ("empty", "twice", "latin"):
            (landing / f"loans_{name}.tsv").unlink()
        (landing / "loans_directory.tsv").rmdir()
        (landing / "loans_short_header.tsv").write_text(HEADER + "2\tc1\t01/02/2024\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        assert rows(spark, library, "bronze_loans") == 4
        status = lakepact("status", "--project", library).output
        assert "lent_required" in status
        assert "Waiting for a run: 0 steps" in status

    def test_what_is_odd_about_a_file_is_said(self, library: Path, spark: SparkSession) -> None:
        landing = library / "landing"
        (landing / "loans_1.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n2\tc1")
        (landing / "loans_2.tsv").write_text("card\tbarcode\tlent\tbranch\tshelf\nc1\t3\t01/02/2024\tN\tA\n")
        (landing / "loans_3.tsv").write_text(HEADER + "c1\t4\tN\t01/02/2024\n")
        result = lakepact("run", "all", "--project", library)
        assert result.exit_code == 0
        assert "loans_1.tsv: its last line has no end: it may have been cut off" in result.output
        assert "loans_2.tsv: the column shelf is not in the contract: kept in _rescued" in result.output
        assert "loans_2.tsv: its columns come in another order than in the file before" in result.output
        assert "loans_3.tsv: the column shelf is gone since the file before" in result.output
        assert "1 rows of silver_loans have several values that cannot be read; their fields may be shifted" in result.output
        record = json.loads(max((library / "warehouse/_lakepact/runs").glob("*.json")).read_text())
        files = next(one for one in record["tables"] if one["table"] == "bronze_loans")["files"]
        assert [len(file["drift"]) for file in files] == [1, 2, 2]
        assert rows(spark, library, "bronze_loans") == 4

    def test_a_file_that_changes_while_it_is_read_is_said_and_loaded_again(
        self, spark: SparkSession, library: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n")
        append = FolderTables.append

        def growing(self: FolderTables, table: str, found: DataFrame, once: tuple[str, int] | None = None) -> None:
            append(self, table, found, once)
            if table == "bronze_loans":
                with (library / "landing/loans.tsv").open("a") as file:
                    file.write("2\tc1\t01/02/2024\tN\n")

        monkeypatch.setattr(FolderTables, "append", growing)
        assert "it changed while it was read; the next run loads it as it is then" in lakepact("run", "all", "--project", library).output
        monkeypatch.undo()
        assert lakepact("run", "all", "--project", library).exit_code == 0
        assert rows(spark, library, "silver_loans") == 2

    def test_nothing_delivered_is_no_failure(self, spark: SparkSession, library: Path) -> None:
        (library / "landing/members.tsv").unlink()
        result = lakepact("run", "all", "--project", library)
        assert result.exit_code == 0, result.output
        assert rows(spark, library, "gold_loans") == 0

    def test_a_layer_whose_input_is_missing_says_so(self, library: Path, spark: SparkSession) -> None:
        assert spark
        result = lakepact("run", "gold", "--project", library)
        assert result.exit_code == 1
        assert "silver_loans does not exist yet; run the layer before, or `all`" in result.output


class TestWhenSomethingBreaks:
    """What is not right is not committed, and a restart ends where an undisturbed run would."""

    def test_rows_that_do_not_add_up_are_not_committed(self, spark: SparkSession, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert lakepact("run", "all", "--project", library).exit_code == 0
        (library / "landing/members_2.tsv").write_text(MEMBERS.replace("c1", "c2"))

        def doubling(found: DataFrame, *rest: Any) -> DataFrame:
            one = mapped(found, *rest)
            return one.unionAll(one)

        def losing(found: DataFrame, *rest: Any) -> DataFrame:
            return mapped(found, *rest).limit(1)

        assert lakepact("run", "bronze", "--project", library).exit_code == 0
        for wrong, told in ((doubling, "2 read, but 2 kept + 2 duplicate"), (losing, "2 read, but 1 kept + 0 duplicate")):
            monkeypatch.setattr("framework.transforms.table.mapped", wrong)
            result = lakepact("run", "silver", "--table", "silver_members", "--project", library)
            assert result.exit_code == 1
            assert "rows do not add up" in result.output
            assert told in result.output
            assert "nothing was committed" in result.output
            assert rows(spark, library, "silver_members") == 1
            assert Lakehouse(read_project(library), "local").tables(None).version("silver_members") == 0
        monkeypatch.setattr("framework.transforms.table.mapped", mapped)
        assert lakepact("run", "all", "--project", library).exit_code == 0
        assert rows(spark, library, "silver_members") == 2

    def test_a_rule_that_fails_the_table_leaves_it_as_it_was_and_skips_what_reads_it(self, spark: SparkSession, library: Path) -> None:
        (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n")
        contract = library / "contracts/silver_loans.yml"
        contract.write_text(contract.read_text().replace("required: true}\n  - name: card", "required: fail}\n  - name: card"))
        assert lakepact("run", "all", "--project", library).exit_code == 0
        (library / "landing/loans_2.tsv").write_text(HEADER + "\tc1\t01/02/2024\tN\n2\tc1\t01/02/2024\tN\n")
        result = lakepact("run", "all", "--project", library)
        assert result.exit_code == 1
        assert "failed silver_loans: rows break rules that fail the table: barcode_required (1 rows)" in result.output
        assert "skipped gold_loans: silver_loans could not be finished" in result.output
        assert rows(spark, library, "bronze_loans") == 3
        assert rows(spark, library, "silver_loans") == 1

    @pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
    def test_a_load_that_was_killed_is_finished_once(self, spark: SparkSession, library: Path, *, committed: bool) -> None:
        lakehouse = Lakehouse(read_project(library), "local")
        runner.run(lakehouse, "bronze")
        load = lakehouse.state.loads("bronze_members")[0]
        lakehouse.state.write_load("bronze_members", replace(load, closed=False))
        if not committed:
            shutil.rmtree(library / "warehouse/bronze_members")
        assert runner.run(lakehouse, "bronze").is_well
        found = spark.read.format("delta").load(str(library / "warehouse/bronze_members")).collect()
        assert [row["_load_id"] for row in found] == [load.load_id]
        assert lakehouse.state.loads("bronze_members")[0].closed

    def test_a_killed_load_is_not_taken_for_done_because_somebody_else_wrote(self, spark: SparkSession, library: Path) -> None:
        lakehouse = Lakehouse(read_project(library), "local")
        runner.run(lakehouse, "bronze")
        (library / "landing/members_2.tsv").write_text(MEMBERS.replace("c1", "c2"))
        open_ = lakehouse.plan("bronze").steps["bronze_members"][0]
        assert isinstance(open_, LoadFiles)
        lakehouse.state.write_load("bronze_members", Load(2, "killed", "2024-01-01T00:00:00+00:00", open_.files, 0))
        # Maintenance writes a version of its own between the kill and the next run.
        spark.sql(f"alter table delta.`{library / 'warehouse/bronze_members'}` set tblproperties ('a' = 'b')")
        assert runner.run(lakehouse, "bronze").is_well
        assert rows(spark, library, "bronze_members") == 2

    def test_a_killed_load_whose_file_was_replaced_is_taken_back_and_loaded_in_the_same_run(
        self, spark: SparkSession, library: Path
    ) -> None:
        (library / "landing/members_2.tsv").write_text(MEMBERS.replace("c1", "c2"))
        lakehouse = Lakehouse(read_project(library), "local")
        step = lakehouse.plan("bronze").steps["bronze_members"][0]
        assert isinstance(step, LoadFiles)
        lakehouse.state.write_load("bronze_members", Load(1, "killed", "2024-01-01T00:00:00+00:00", step.files, -1))
        (library / "landing/members_2.tsv").write_text(MEMBERS.replace("c1", "c3") + "c4\tDEE\tOSLO\t01/01/2024\n")
        assert runner.run(lakehouse, "bronze").is_well
        found = spark.read.format("delta").load(str(library / "warehouse/bronze_members")).collect()
        assert sorted(row["card"] for row in found) == ["c1", "c3", "c4"]
        assert lakehouse.plan("bronze").is_empty

    def test_a_column_that_goes_needs_to_be_allowed(self, spark: SparkSession, library: Path) -> None:
        assert lakepact("run", "all", "--project", library).exit_code == 0
        contract = library / "contracts/silver_members.yml"
        contract.write_text("".join(line for line in contract.read_text().splitlines(keepends=True) if "name: town" not in line))
        assert "town goes" in lakepact("plan", "--project", library).output
        refused = lakepact("run", "all", "--project", library)
        assert refused.exit_code == 1
        assert "town goes; who reads the table would lose something. Run with --allow-destructive" in refused.output
        assert "town" in spark.read.format("delta").load(str(library / "warehouse/silver_members")).columns
        assert lakepact("run", "all", "--project", library, "--allow-destructive").exit_code == 0
        assert "town" not in spark.read.format("delta").load(str(library / "warehouse/silver_members")).columns

    def test_the_run_log_tells_counts_versions_and_contract(self, spark: SparkSession, library: Path) -> None:
        assert spark
        result = lakepact("run", "all", "--project", library, "--format", "json")
        report = json.loads(result.output)
        (record,) = [json.loads(path.read_text()) for path in (library / "warehouse/_lakepact/runs").glob("*.json")]
        assert record == report
        table = next(one for one in record["tables"] if one["table"] == "silver_members")
        assert {name: table[name] for name in ("read", "kept", "duplicate", "quarantined", "dropped", "inputs", "version")} == {
            "read": 1,
            "kept": 1,
            "duplicate": 0,
            "quarantined": 0,
            "dropped": 0,
            "inputs": {"bronze_members": 0},
            "version": 0,
        }
        assert len(table["contract_hash"]) == 16
        files = next(one for one in record["tables"] if one["table"] == "bronze_members")["files"]
        assert [(file["name"], file["rows"]) for file in files] == [("members.tsv", 1)]


class TestQuarantine:
    """What was refused can be looked at, by who may."""

    def test_reasons_come_with_counts_and_masked_samples(self, spark: SparkSession, library: Path) -> None:
        assert spark
        (library / "landing/loans.tsv").write_text(HEADER + "x\tc1\t01/02/2024\tN\n2\tc9\t01/02/2024\tN\ny\tc9\tsoon\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        text = lakepact("quarantine", "silver_loans", "--project", library).output
        assert "barcode_readable: 2 rows. barcode cannot be read as bigint." in text
        assert "barcode=x, _source_file=loans.tsv, _row_number=1, card=•••" in text
        assert "c9" not in text, "who borrows is personal data"
        told = json.loads(lakepact("quarantine", "silver_loans", "--project", library, "--format", "json", "--as", "librarians").output)
        assert {cause["rule"]: cause["rows"] for cause in told} == {"barcode_readable": 2, "known_reader": 2, "lent_readable": 1}
        assert {sample["card"] for cause in told for sample in cause["samples"]} == {"c1", "c9"}

    def test_what_is_not_there_is_told(self, spark: SparkSession, library: Path) -> None:
        assert spark
        assert 'did you mean "silver_loans"' in lakepact("quarantine", "silver_lons", "--project", library).output
        assert "No rule of gold_loans" in lakepact("quarantine", "gold_loans", "--project", library).output
        assert "no principal" in lakepact("quarantine", "silver_loans", "--as", "nobody", "--project", library).output
        assert "has no row in quarantine" in lakepact("quarantine", "silver_loans", "--project", library).output

    @pytest.mark.parametrize(
        ("limits", "told"),
        [
            ("limit: {share: 0.3}", "1 of 2 rows would be quarantined, more than the contract allows"),
            ("by_rule: {known_reader: {rows: 0}}", "1 of 2 rows break known_reader, more than the contract allows"),
            ("limit: {share: 0.5, rows: 1}", None),
        ],
    )
    def test_too_many_refused_rows_keep_the_table_as_it_was(
        self, limits: str, told: str | None, spark: SparkSession, library: Path
    ) -> None:
        contract = library / "contracts/silver_loans.yml"
        contract.write_text(f"{contract.read_text()}quarantine: {{{limits}}}\n")
        (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n2\tc9\t01/02/2024\tN\n")
        result = lakepact("run", "all", "--project", library)
        assert result.exit_code == (1 if told else 0)
        assert (told or "all well") in result.output
        assert (library / "warehouse/silver_loans").exists() == (told is None)
        assert rows(spark, library, "bronze_loans") == 2


class TestOnlyWhatChanged:
    """A small delivery works out what it touches, and commits what differs."""

    def versions(self, library: Path) -> dict[str, int | None]:
        tables = Lakehouse(read_project(library), "local").tables(None)
        return {name: tables.version(name) for name in ("silver_members", "silver_loans", "silver_loans_quarantine", "gold_loans")}

    def report(self, library: Path, table: str) -> dict[str, Any]:
        path = max((library / "warehouse/_lakepact/runs").glob("*.json"))
        found: dict[str, Any] = next(one for one in json.loads(path.read_text())["tables"] if one["table"] == table)
        return found

    def test_of_a_small_delivery_only_the_rows_that_it_touches_are_read(self, spark: SparkSession, library: Path) -> None:
        many = "".join(f"{number}\tc1\t01/02/2024\tN\n" for number in range(40))
        (library / "landing/loans.tsv").write_text(HEADER + many + "99\tc9\t01/02/2024\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        before = self.versions(library)
        (library / "landing/loans_2.tsv").write_text(HEADER + "7\tc1\t01/02/2024\tS\n41\tc1\t03/02/2024\tN\n")
        result = lakepact("run", "all", "--project", library)
        assert result.exit_code == 0
        assert "done, what changed" in result.output
        loans = self.report(library, "silver_loans")
        assert (loans["how"], loans["read"], loans["kept"], loans["duplicate"]) == ("what changed", 3, 2, 1)
        assert rows(spark, library, "silver_loans") == 41
        after = self.versions(library)
        assert after["silver_members"] == before["silver_members"]
        assert after["silver_loans_quarantine"] == before["silver_loans_quarantine"], "no refused row came or went"
        # The member whom a loan waits for arrives: that loan is looked at again, and no other.
        (library / "landing/members_2.tsv").write_text(MEMBERS.replace("c1", "c9"))
        assert lakepact("run", "all", "--project", library).exit_code == 0
        loans = self.report(library, "silver_loans")
        assert (loans["how"], loans["read"], loans["kept"], loans["quarantined"]) == ("what changed", 1, 1, 0)
        assert rows(spark, library, "silver_loans") == 42
        assert rows(spark, library, "silver_loans_quarantine") == 0
        assert "nothing" in lakepact("status", "--project", library).output.split("Quarantine")[1]

    def test_a_delivery_that_says_nothing_new_writes_no_version_further_down(self, library: Path, spark: SparkSession) -> None:
        assert spark
        (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        before = self.versions(library)
        (library / "landing/loans_2.tsv").write_text(HEADER + "\tc1\t01/02/2024\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        after = self.versions(library)
        assert after["silver_loans_quarantine"] == 0
        assert {name: after[name] for name in ("silver_loans", "gold_loans")} == {
            name: before[name] for name in ("silver_loans", "gold_loans")
        }
        assert self.report(library, "gold_loans")["outcome"] == "unchanged"

    def test_a_table_may_ask_to_be_worked_out_whole(self, library: Path, spark: SparkSession) -> None:
        assert spark
        contract = library / "contracts/silver_loans.yml"
        contract.write_text(f"{contract.read_text()}refresh: full\n")
        (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n2\tc1\t01/02/2024\tN\n3\tc1\t01/02/2024\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        (library / "landing/loans_2.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tS\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        assert (self.report(library, "silver_loans")["how"], self.report(library, "silver_loans")["read"]) == ("whole", 4)

    def test_what_can_no_longer_be_told_is_worked_out_whole(self, spark: SparkSession, library: Path) -> None:
        lines = "".join(f"{number}\tc1\t01/02/2024\tN\n" for number in range(9))
        (library / "landing/loans.tsv").write_text(HEADER + lines)
        assert lakepact("run", "all", "--project", library).exit_code == 0
        (library / "landing/loans_2.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tS\n")
        assert lakepact("run", "bronze", "--project", library).exit_code == 0
        assert lakepact("run", "silver", "--project", library).exit_code == 0
        # Maintenance removes what the table was before.
        for path in (library / "warehouse/silver_loans").rglob("*.parquet"):
            if "_change_data" in path.parts:
                path.unlink()
        assert lakepact("run", "gold", "--project", library).exit_code == 0
        assert self.report(library, "gold_loans")["how"] == "whole"
        shown = spark.read.format("delta").load(str(library / "warehouse/gold_loans"))
        assert shown.where("period_type = 'year'").agg({"loans": "sum"}).collect()[0][0] == 9

    def test_what_somebody_else_wrote_into_a_table_is_put_right(self, spark: SparkSession, library: Path) -> None:
        (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n2\tc1\t01/02/2024\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        spark.sql(f"delete from delta.`{library / 'warehouse/silver_loans'}` where barcode = 1")  # noqa: S608 - a path of our own
        assert "it was changed by someone else" in lakepact("plan", "--project", library).output
        assert lakepact("run", "all", "--project", library).exit_code == 0
        assert rows(spark, library, "silver_loans") == 2


class TestByHand:
    """What a person may ask for: rebuild, replay, and rows that were mended."""

    def test_a_rebuild_makes_a_table_anew_and_what_reads_it_follows(self, spark: SparkSession, library: Path) -> None:
        (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        assert 'did you mean "silver_loans"' in lakepact("rebuild", "silver_lons", "--project", library).output
        refused = lakepact("rebuild", "bronze_loans", "--project", library)
        assert refused.exit_code == 2
        assert "lakepact replay --load" in refused.output
        result = lakepact("rebuild", "silver_loans", "--project", library, "--format", "json")
        assert result.exit_code == 0
        told = {one["table"]: (one["outcome"], one["how"]) for one in json.loads(result.output)["tables"]}
        assert told == {"silver_loans": ("done", "whole"), "gold_loans": ("unchanged", "none of its inputs changed after all")}
        assert rows(spark, library, "silver_loans") == 1

    def test_a_load_is_replayed_as_the_contract_says_now(self, spark: SparkSession, library: Path) -> None:
        (library / "landing/loans.tsv").write_text("barcode\tcard\tlent\tbranch\tnote to self\n1\tc1\t01/02/2024\tN\tkeep\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        listed = lakepact("loads", "--project", library)
        assert "loans.tsv" in listed.output
        load = json.loads(lakepact("loads", "--project", library, "--format", "json").output)[0]["load_id"]
        contract = library / "contracts/bronze_loans.yml"
        contract.write_text(contract.read_text().replace("columns:\n", "columns:\n  - {name: note to self, optional: true}\n"))
        assert "add note to self" in lakepact("plan", "--project", library).output
        assert lakepact("run", "all", "--project", library).exit_code == 0
        found = spark.read.format("delta").load(str(library / "warehouse/bronze_loans")).collect()
        assert [(row["note to self"], row["_rescued"]) for row in found] == [(None, '{"note to self":"keep"}')]
        assert 'did you mean "' in lakepact("replay", "--load", load[:-1], "--project", library).output
        assert lakepact("replay", "--load", load, "--project", library).exit_code == 0
        found = spark.read.format("delta").load(str(library / "warehouse/bronze_loans")).collect()
        assert [(row["note to self"], row["_rescued"], row["_load_id"]) for row in found] == [("keep", None, load)]
        assert rows(spark, library, "silver_loans") == 1
        (library / "landing/loans.tsv").write_text(HEADER)
        gone = lakepact("replay", "--load", load, "--project", library)
        assert gone.exit_code == 2
        assert "loans.tsv of load" in gone.output

    def test_mended_rows_take_the_place_of_those_that_were_delivered(self, spark: SparkSession, library: Path, tmp_path: Path) -> None:
        (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\nx2\tc1\t01/02/2024\tN\n3\tc1\tsoon\tN\n")
        assert lakepact("run", "all", "--project", library).exit_code == 0
        file = tmp_path / "to mend.csv"
        masked = lakepact("quarantine", "silver_loans", "--export", file, "--project", library)
        assert masked.exit_code == 2
        assert "personal data in card" in masked.output
        assert not file.exists()
        result = lakepact("quarantine", "silver_loans", "--export", file, "--as", "librarians", "--project", library)
        assert "2 rows in" in result.output
        file.write_text(file.read_text().replace("x2", "2"))
        result = lakepact("mend", "silver_loans", file, "--project", library)
        assert "1 mended, 1 as they were, 0 belong to no delivered row" in result.output
        assert lakepact("run", "all", "--project", library).exit_code == 0
        assert rows(spark, library, "silver_loans") == 2
        assert rows(spark, library, "silver_loans_quarantine") == 1
        mended = spark.read.format("delta").load(str(library / "warehouse/bronze_loans")).where("_row_number = 2").collect()
        assert len(mended) == 1
        assert json.loads(mended[0]["_rescued"])["_mended"]["was"]["barcode"] == "x2"
        again = lakepact("mend", "silver_loans", file, "--project", library)
        assert "0 mended, 2 as they were" in again.output
        # A replay reads the file again, and leaves what was mended.
        load = mended[0]["_load_id"]
        assert lakepact("replay", "--load", load, "--project", library).exit_code == 0
        assert rows(spark, library, "silver_loans") == 2
        assert rows(spark, library, "bronze_loans") == 3

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("a,b\n1,2\n", "it lacks _table"),
            ("", "it lacks _table"),
            (None, "cannot be read"),
        ],
    )
    def test_a_file_that_mends_nothing_is_told(self, text: str | None, told: str, library: Path, tmp_path: Path) -> None:
        file = tmp_path / "mended.csv"
        if text is not None:
            file.write_text(text)
        result = lakepact("mend", "silver_loans", file, "--project", library)
        assert result.exit_code == 2
        assert told in result.output
        assert "No row of gold_loans" in lakepact("mend", "gold_loans", file, "--project", library).output
