"""Where is a table refreshed, and what is at hand there?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework.lakehouse.tables import reference_rows
from framework.plan.build import inputs_of
from framework.spec.table import CHANGE
from framework.transforms.differences import is_comparable
from framework.transforms.rows import counted
from framework.transforms.scope import net

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession

    from framework.lakehouse.state import State
    from framework.lakehouse.tables import Staging, Tables
    from framework.spec.project import Project
    from framework.spec.table import Table


@dataclass(frozen=True)
class Place:
    """A lakehouse with a session, in one run: its tables, what the engine remembers, and a folder in which rows wait."""

    project: Project
    tables: Tables
    state: State
    staging: Staging
    spark: SparkSession
    run_id: str

    def version(self, table: str) -> int:
        """Return a table's version, -1 where there is none."""
        version = self.tables.version(table)
        return -1 if version is None else version

    def can_tell(self, table: str, since: int) -> bool:
        """Tell whether the rows that came and went after a version can be told."""
        built = self.state.built(table)
        return since >= 0 and (built is None or built.replaced <= since)

    def changes(self, table: str, since: int) -> DataFrame:
        """Return the rows that came and went after a version, with 1 or -1 as `__change`; not those that were only written anew."""
        rows, built = self.tables.changes(table, since), self.state.built(table)
        if built is None or built.rewritten <= since or not is_comparable(rows):
            return rows
        return net(rows, [name for name in rows.columns if name != CHANGE])

    def inputs(self, table: Table, versions: Mapping[str, int] | None = None) -> dict[str, DataFrame]:
        """Return what a table reads, by name; at older versions where they are given."""
        names = inputs_of(self.project, table.table)
        tables = {name: self.tables.read(name, versions[name] if versions else None) for name in names}
        return tables | {name: reference_rows(one, self.spark) for name, one in self.project.references.items() if name in table.inputs}

    def staged(self, name: str, rows: DataFrame) -> tuple[DataFrame, int]:
        """Write rows down beside the tables and return them, and how many there are."""
        count = counted(rows)
        return self.staging.write(name, count.rows), count.values()["rows"]

    def best(self, name: str) -> DataFrame:
        """Return the best rows that an earlier run kept."""
        return self.spark.read.parquet(str(self.state.folder / "best" / name))
