"""Whatever is delivered, replaced, corrected, changed, killed or rebuilt: the tables are those made from scratch.

A small project holds a table of each kind that can be brought up to date in part. Hypothesis makes up a history; at its
end the warehouse is held against one whose tables are all made anew from the same bronze, row by row.
`benchmarks/model.py` tries more histories.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from framework import runner
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.tables import FolderTables
from framework.spec.project import read_project
from tests.test_chaos import KilledError, conserved, killed_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

PROJECT = Path(__file__).parent / "project"

CODES = st.sampled_from(["a", "b", "c", "d", "A ", ""])
DAYS = st.sampled_from(["2024-01-05", "2024-01-20", "2024-02-03", "2025-03-01", "2025-03-02", "", "soon"])
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"sku": st.sampled_from(["x", "y", "z", None]), "qty": st.sampled_from(["1", "2", "many"])},
        optional={"price": st.sampled_from(["1.50", "2", "-1", None]), "label": st.sampled_from(["red", "blue"])},
    ),
    max_size=3,
).map(json.dumps)
TABLES: dict[str, tuple[str, st.SearchStrategy[tuple[str, ...]]]] = {
    "depots": (
        "code,name,region,since",
        st.tuples(CODES, st.sampled_from(["North", "South", "", "North "]), st.sampled_from(["1", "2", "x", ""]), DAYS),
    ),
    "parcels": (
        "parcel,depot,sent,contents",
        st.tuples(
            st.sampled_from(["1", "2", "3", "4", "4.0", "p"]), CODES, DAYS, ITEMS | st.sampled_from(["", "[{", '{"sku": "x", "qty": "1"}'])
        ),
    ),
    "scans": ("parcel,place,seen", st.tuples(st.sampled_from(["1", "2", "3", "9", ""]), CODES, DAYS)),
}
CHANGES = {
    "a check is added": (
        "silver_goods.yml",
        "- {name: sent, type: date, formats: [iso8601]}",
        "- {name: sent, type: date, formats: [iso8601], required: true}",
    ),
    "an expression changes": ("silver_depots.yml", "expr: upper(code)", "expr: lower(code)"),
    "a type widens": ("silver_parcels.yml", "- {name: parcel, type: int,", "- {name: parcel, type: bigint,"),
    "a column comes": ("silver_scans.yml", "dedupe:", "  - {name: year, type: int, expr: year(seen)}\ndedupe:"),
    "a measure changes": ("gold_seen.yml", "measure: count(*)", "measure: count(seen)"),
}


@dataclass(frozen=True)
class Deliver:
    """Files come, under a new name or in place of an earlier one; a kill may hit the run that finds them."""

    files: dict[str, list[tuple[str, ...]]]
    replaces: bool
    kill: int | None


@dataclass(frozen=True)
class Change:
    """A contract changes, or changes back."""

    which: str


@dataclass(frozen=True)
class Rebuild:
    """Somebody has a table made anew."""

    table: str


Action = Deliver | Change | Rebuild

DELIVERIES = st.builds(
    Deliver,
    st.fixed_dictionaries({}, optional={name: st.lists(rows, min_size=1, max_size=4) for name, (_, rows) in TABLES.items()}),
    st.booleans(),
    st.none() | st.integers(0, 80),
)
ACTIONS: st.SearchStrategy[Action] = (
    DELIVERIES
    | DELIVERIES
    | st.builds(Change, st.sampled_from(sorted(CHANGES)))
    | st.builds(Rebuild, st.sampled_from(["silver_depots", "silver_goods", "gold_regions"]))
)
FIRST = st.fixed_dictionaries({name: st.lists(rows, min_size=2, max_size=6) for name, (_, rows) in TABLES.items()})


class World:
    """A project with its landing folder and warehouse, and what can happen to it."""

    def __init__(self, root: Path, spark: SparkSession) -> None:
        self.root, self.spark, self.number = root, spark, 0
        shutil.copytree(PROJECT, root)
        (root / "landing").mkdir()

    def deliver(self, files: dict[str, list[tuple[str, ...]]], *, replaces: bool = False) -> None:
        """Write files into the landing folder."""
        for name, rows in files.items():
            if not replaces:
                self.number += 1
            path = self.root / "landing" / f"{name}{self.number}.csv"
            text = "\n".join(",".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows)
            path.write_text(f"{TABLES[name][0]}\n{text}\n")

    def run(self, kill: int | None = None) -> None:
        """Run until it is well; a killed run is followed by another."""
        lakehouse = Lakehouse(read_project(self.root), "local")
        if kill is not None:
            try:
                with killed_at(kill, []):
                    runner.run(lakehouse, "all", allow_destructive=True)
            except KilledError:
                note(f"killed at {kill}")
        report = runner.run(lakehouse, "all", allow_destructive=True)
        assert report.is_well, [(one.table, one.reason) for one in report.tables]
        assert list(conserved(report)) == []
        again = runner.run(lakehouse, "all")
        assert {one.outcome for one in again.tables} == {"unchanged"}, "a run with nothing new writes nothing"

    def act(self, action: Action) -> None:
        """Let something happen, and run."""
        kill = action.kill if isinstance(action, Deliver) else None
        match action:
            case Deliver(files, replaces):
                self.deliver(files, replaces=replaces)
            case Change(which):
                name, before, after = CHANGES[which]
                path = self.root / "contracts" / name
                text = path.read_text()
                path.write_text(text.replace(after, before) if after in text else text.replace(before, after))
            case Rebuild(table):
                runner.run(Lakehouse(read_project(self.root), "local"), "all", rebuild=[table])
        self.run(kill)

    def held(self) -> dict[str, list[str]]:
        """Return every table's rows."""
        tables: dict[str, list[str]] = {}
        for path in sorted((self.root / "warehouse").iterdir()):
            if (path / "_delta_log").is_dir():
                rows = self.spark.read.format("delta").load(str(path))
                tables[path.name] = sorted(str(row) for row in rows.select(*sorted(rows.columns)).collect())
        return {name: rows for name, rows in tables.items() if rows or not name.endswith("_quarantine")}

    def anew(self) -> dict[str, list[str]]:
        """Return every table's rows as they are when all but bronze is made from scratch."""
        copy = self.root.with_name(f"{self.root.name} anew")
        shutil.copytree(self.root, copy)
        for path in (copy / "warehouse").iterdir():
            if not path.name.startswith(("bronze_", "_")):
                shutil.rmtree(path)
        for name in ("tables", "best"):
            shutil.rmtree(copy / "warehouse/_lakepact" / name, ignore_errors=True)
        other = World.__new__(World)
        other.root, other.spark, other.number = copy, self.spark, self.number
        report = runner.run(Lakehouse(read_project(copy), "local"), "all")
        assert report.is_well
        return other.held()


def check(first: dict[str, Any], actions: Sequence[Action], root: Path, spark: SparkSession) -> None:
    """Live through a history and compare its end with tables made from scratch."""
    world = World(root, spark)
    world.deliver(first)
    world.run()
    for action in actions:
        note(str(action))
        world.act(action)
    incremental, anew = world.held(), world.anew()
    for name in sorted({*incremental, *anew}):
        assert incremental.get(name) == anew.get(name), name


@settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(first=FIRST, actions=st.lists(ACTIONS, min_size=4, max_size=4))
def test_a_history_ends_where_its_deliveries_alone_would(
    first: dict[str, Any], actions: list[Action], tmp_path_factory: pytest.TempPathFactory, spark: SparkSession
) -> None:
    check(first, actions, tmp_path_factory.mktemp("model") / "project", spark)


def test_refused_rows_that_a_killed_run_has_written_are_not_written_twice(
    tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "project", spark)
    item = '[{"sku": "x", "qty": "1", "price": "2"}, {"sku": "y", "qty": "1", "price": "-1"}]'
    world.deliver({"depots": [("a", "North", "1", "2024-01-05")], "parcels": [("1", "a", "2024-01-05", item)]})
    world.run()
    world.deliver({"parcels": [("2", "a", "2024-01-20", item)]})
    append = FolderTables.append

    def killed(self: FolderTables, table: str, rows: DataFrame, once: tuple[str, int] | None = None) -> None:
        append(self, table, rows, once)
        if table == "silver_goods_quarantine":
            raise KilledError

    monkeypatch.setattr(FolderTables, "append", killed)
    with pytest.raises(KilledError):
        runner.run(Lakehouse(read_project(world.root), "local"), "all")
    monkeypatch.undo()
    world.run()
    held = world.held()
    assert len(held["silver_goods_quarantine"]) == 2
    assert held == world.anew()
    built = Lakehouse(read_project(world.root), "local").state.built("silver_goods")
    assert built is not None
    assert (built.quarantined, built.by_rule) == (2, {"price_greater_than": 2})
