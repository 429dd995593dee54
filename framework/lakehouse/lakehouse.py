"""Where are an environment's landing folder, tables and state, and what is there now?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from framework.lakehouse.discovery import discovered
from framework.lakehouse.landing import Entry, find_files, is_as_listed, listed
from framework.lakehouse.session import start_session
from framework.lakehouse.state import State
from framework.lakehouse.tables import CatalogTables, FolderTables, Tables, app_of
from framework.plan.build import build_plan, inputs_of, selected_tables
from framework.plan.steps import Observed, OpenLoad
from framework.spec.metadata import Catalog
from framework.spec.problem import CannotRunError, did_you_mean
from framework.spec.table import FileTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

    from framework.plan.steps import DeliveredFile, Load, Plan, RefusedFile
    from framework.spec.metadata import Folders
    from framework.spec.project import Project


class Lakehouse:
    """An environment with its places: landing folder, tables, state."""

    def __init__(self, project: Project, environment: str, landing: Path | None = None, warehouse: Path | None = None) -> None:
        """Find the places; nothing is touched yet.

        Raises:
            CannotRunError: there is no such environment.
        """
        self.project, self.name = project, environment
        found = project.environment(environment)
        self.environment: Folders | Catalog = found
        self.landing = landing or project.root / found.landing
        if isinstance(found, Catalog):
            self.warehouse, self.state = None, State(Path(found.state))
        else:
            self.warehouse = warehouse or project.root / found.warehouse
            folder = found.state_folder if not warehouse else str(warehouse / "_lakepact")
            self.state = State(project.root / folder)

    def tables(self, spark: SparkSession | None) -> Tables:
        """Return the tables; without Spark only what can be told without it."""
        if isinstance(self.environment, Catalog):
            return CatalogTables(self.environment, spark)
        return FolderTables(self.environment, self.warehouse or Path(), spark)

    def entries(self, spark: SparkSession | None) -> list[Entry]:
        """Return the files of the landing folder.

        Raises:
            CannotRunError: the folder cannot be listed, or there is no Auto Loader here.
        """
        if spark is not None and isinstance(self.environment, Catalog) and self.environment.discovery == "auto_loader":
            return [*discovered(spark, self.landing, self.state.folder)]
        return listed(self.landing)

    def observe(self, tables: Tables, selected: Sequence[str], spark: SparkSession | None = None) -> Observed:
        """Return what there is now for the selected tables and for what they read."""
        project = self.project
        reads_files = any(isinstance(project.tables[name], FileTable) for name in selected)
        entries = self.entries(spark) if reads_files else []
        concerned = {*selected, *(table for name in selected for table in inputs_of(project, name))}
        versions = {name: version for name in sorted(concerned) if (version := tables.version(name)) is not None}
        new: dict[str, tuple[DeliveredFile, ...]] = {}
        refused: dict[str, tuple[RefusedFile, ...]] = {}
        unfinished: dict[str, OpenLoad] = {}
        for name in selected:
            table = project.tables[name]
            if not isinstance(table, FileTable):
                continue
            loads = self.state.loads(name)
            if loads and not loads[-1].closed:
                last = loads[-1]
                committed = tables.holds(name, last, app=app_of(name))
                unfinished[name] = OpenLoad(last, committed, all(map(is_as_listed, last.files)))
                if not committed and not unfinished[name].is_as_listed:
                    loads = loads[:-1]  # it will be taken back; what is there of its files is new again
            known = {file.identity for load in loads for file in load.files}
            new[name], refused[name] = find_files(entries, table, known)
        built = {name: one for name in selected if (one := self.state.built(name)) is not None}
        checked = {name: said for name in selected if (said := self.state.checked(name)) is not None}
        return Observed(versions, built, new, refused, unfinished, checked=checked)

    def replayable(self, load_id: str) -> dict[str, tuple[Load, ...]]:
        """Return the loads of a run, by table, whose files can be read again.

        Raises:
            CannotRunError: there is no such load, or a file of it is not there as it was.
        """
        file_tables = [name for name, table in self.project.tables.items() if isinstance(table, FileTable)]
        loads = {name: self.state.loads(name) for name in file_tables}
        found = {name: tuple(load for load in ones if load.load_id == load_id and load.closed) for name, ones in loads.items()}
        found = {name: ones for name, ones in found.items() if ones}
        if not found:
            known = list(dict.fromkeys(load.load_id for ones in loads.values() for load in reversed(ones)))
            raise CannotRunError(f'There is no load "{load_id}".', did_you_mean(load_id, known) if known else "nothing was loaded yet.")
        gone = sorted(file.name for ones in found.values() for load in ones for file in load.files if not is_as_listed(file))
        if gone:
            raise CannotRunError(
                f"{', '.join(gone)} of load {load_id} cannot be read again: gone from the landing folder, or replaced since.",
                "put the file back as it was, its time of modification too; until then its rows stay as they were loaded.",
            )
        return found

    def plan(
        self, layer: str, only: Sequence[str] = (), rebuild: Sequence[str] = (), replay: str = "", spark: SparkSession | None = None
    ) -> Plan:
        """Return what a run would do; tables in `rebuild` are made anew, the files of load `replay` are read again.

        Raises:
            CannotRunError: a layer, a table, a load or the landing folder does not exist.
        """
        selected = selected_tables(self.project, layer, only)
        if isinstance(self.environment, Catalog) and spark is None:
            spark = start_session(self.environment.spark)
        observed = self.observe(self.tables(spark), selected, spark)
        if replay:
            observed = dataclasses.replace(observed, replayed=self.replayable(replay))
        return build_plan(self.project, selected, observed, rebuild)
