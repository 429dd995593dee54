"""Killed anywhere, run again: the same tables as if never killed.

A fault is put before or after every moment at which a run writes something. It is no exception that the engine could
catch: nothing after it happens, as when the process dies. The next run must bring every table to where an undisturbed
one would have brought it. `benchmarks/chaos.py` does the same with processes that are really killed.
"""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from framework import runner
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.state import State
from framework.lakehouse.tables import FolderTables, Staging
from framework.spec.project import read_project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

MOMENTS: list[tuple[type, str]] = [
    (State, "write_load"),
    (FolderTables, "append"),
    (Staging, "write"),
    (FolderTables, "overwrite"),
    (FolderTables, "exchange"),
    (State, "write_built"),
    (State, "write_run"),
]
SHORT = 6
"""How many of the moments are tried here; each takes two runs."""


class KilledError(BaseException):
    """The process is gone."""


def deliver(landing: Path, number: int) -> None:
    """Deliver members and loans; the second delivery corrects, repeats and adds, and replaces a file."""
    landing.mkdir(exist_ok=True)
    lines = {
        1: ["1\tc1\t01/02/2024\tN", "2\tc2\t01/02/2024\tS", "x\tc1\t02/02/2024\tN"],
        2: ["1\tc1\t01/02/2024\tN", "3\tc3\t03/02/2024\tS", "4\tc9\t03/02/2024\tN"],
    }[number]
    (landing / f"loans_{number}.tsv").write_text("\n".join(["barcode\tcard\tlent\tbranch", *lines]) + "\n")
    members = (
        ["c1\tADA\tOSLO\t01/01/2024", "c2\tBOB\tBERGEN\t01/01/2024"]
        if number == 1
        else ["c1\tADA\tBODO\t01/02/2024", "c3\tCY\tOSLO\t01/02/2024"]
    )
    (landing / "members.tsv").write_text("\n".join(["card\tfull name\ttown\tchanged", *members]) + "\n")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> tuple[Path, Path, dict[str, list[str]]]:
    """Return a library after one delivery, with the second one lying there, and what its tables hold in the end."""
    root = tmp_path_factory.mktemp("chaos") / "library"
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / "tests/library" / part, root / part)
    deliver(root / "landing", 1)
    assert runner.run(Lakehouse(read_project(root), "local"), "all").is_well
    deliver(root / "landing", 2)
    done = root.with_name("undisturbed")
    shutil.copytree(root, done)
    assert runner.run(Lakehouse(read_project(done), "local"), "all").is_well
    return root, done, held(spark, done)


def held(spark: SparkSession, root: Path) -> dict[str, list[str]]:
    """Return every table's rows, without what tells one run from another."""
    tables: dict[str, list[str]] = {}
    for path in sorted((root / "warehouse").iterdir()):
        if (path / "_delta_log").is_dir():
            rows = spark.read.format("delta").load(str(path))
            shown = [name for name in rows.columns if name not in {"_load_id", "_load_timestamp", "_source_modified"}]
            tables[path.name] = sorted(str(row) for row in rows.select(*(f"`{name}`" for name in shown)).collect())
    return tables


def moments(run: Callable[[], Any]) -> int:
    """Return how many moments a run has."""
    seen: list[int] = []
    with killed_at(-1, seen):
        run()
    return len(seen)


class killed_at:  # noqa: N801 - reads as a phrase
    """Put a fault at one moment of all that a run has, counted before and after each write."""

    def __init__(self, moment: int, seen: list[int]) -> None:
        self.moment, self.seen, self.patch = moment, seen, pytest.MonkeyPatch()

    def __enter__(self) -> None:
        """Put the faults."""
        for kind, name in MOMENTS:
            self.patch.setattr(kind, name, self._killing(getattr(kind, name)))

    def __exit__(self, *_: object) -> None:
        """Take them away."""
        self.patch.undo()

    def _killing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            self._pass()
            result = function(*arguments, **named)
            self._pass()
            return result

        return wrapped

    def _pass(self) -> None:
        number = len(self.seen)
        self.seen.append(number)
        if self.moment >= 0 and number >= self.moment:
            raise KilledError


def conserved(report: runner.RunReport) -> Iterator[str]:
    """Yield the tables whose rows do not add up."""
    for one in report.tables:
        if one.outcome == "done" and one.grouped is None and one.read != one.kept + one.duplicate + one.quarantined + one.dropped:
            yield one.table


def test_killed_at_any_moment_a_rerun_ends_where_an_undisturbed_run_does(
    undisturbed: tuple[Path, Path, dict[str, list[str]]], spark: SparkSession, tmp_path: Path
) -> None:
    root, _, truth = undisturbed
    counted = tmp_path / "counted"
    shutil.copytree(root, counted)
    count = moments(lambda: runner.run(Lakehouse(read_project(counted), "local"), "all"))
    assert count > 30
    assert held(spark, counted) == truth
    for moment in sorted(random.Random(5).sample(range(count), SHORT)):  # noqa: S311 - the same moments every time
        copy = tmp_path / f"killed_{moment}"
        shutil.copytree(root, copy)
        lakehouse = Lakehouse(read_project(copy), "local")
        with killed_at(moment, []), pytest.raises(KilledError):
            runner.run(lakehouse, "all")
        report = runner.run(lakehouse, "all")
        assert report.is_well, [(one.table, one.reason) for one in report.tables if one.outcome == "failed"]
        assert list(conserved(report)) == []
        assert held(spark, copy) == truth, f"killed at moment {moment} of {count}"
        assert not list((copy / "warehouse/_lakepact").glob("staging/*"))
        assert all(load.closed for table in ("bronze_members", "bronze_loans") for load in lakehouse.state.loads(table))
