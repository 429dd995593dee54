"""Where are an environment's landing folder, tables and state, and what is there now?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from framework.lakehouse.landing import find_files, is_as_listed
from framework.lakehouse.session import start_session
from framework.lakehouse.state import State
from framework.lakehouse.tables import CatalogTables, FolderTables, Tables, app_of
from framework.plan.build import build_plan, inputs_of, selected_tables
from framework.plan.steps import Observed, OpenLoad
from framework.spec.metadata import Catalog
from framework.spec.table import FileTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

    from framework.plan.steps import DeliveredFile, Plan, RefusedFile
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

    def observe(self, tables: Tables, selected: Sequence[str]) -> Observed:
        """Return what there is now for the selected tables and for what they read."""
        project = self.project
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
            new[name], refused[name] = find_files(self.landing, table, known)
        built = {name: one for name in selected if (one := self.state.built(name)) is not None}
        return Observed(versions, built, new, refused, unfinished)

    def plan(self, layer: str, only: Sequence[str] = (), spark: SparkSession | None = None) -> Plan:
        """Return what a run would do.

        Raises:
            CannotRunError: a layer, a table or the landing folder does not exist.
        """
        selected = selected_tables(self.project, layer, only)
        if isinstance(self.environment, Catalog) and spark is None:
            spark = start_session(self.environment.spark)
        return build_plan(self.project, selected, self.observe(self.tables(spark), selected))
