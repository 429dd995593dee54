"""Which values may be shown, and how do they look?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from framework.lakehouse.quarantine import MASK, masked_columns
from framework.spec.names import literal, quoted
from framework.spec.problem import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from framework.spec.project import Project

Shown = dict[str, "str | None"]
"""A row as it is shown: values as text, personal data as `•••`."""

LONGEST = 120


@dataclass(frozen=True)
class Sight:
    """Who looks: the classes of personal data that they may see."""

    project: Project
    clear: frozenset[str]

    def is_hidden(self, table: str, column: str) -> bool:
        """Tell whether a column of a table holds personal data that may not be seen."""
        return bool(set(self.project.lineage.taint((table, column.lower()))) - self.clear)

    def hidden_before(self, table: str) -> frozenset[str]:
        """Return the columns of what a table reads, in lower case, that may not be seen."""
        return masked_columns(self.project, table, self.clear)

    def value(self, value: Any, *, is_hidden: bool) -> str | None:
        """Return a value as text."""
        if value is None:
            return None
        if is_hidden:
            return MASK
        text = str(value.asDict(recursive=True) if hasattr(value, "asDict") else value)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

    def row(self, table: str, row: Mapping[str, Any], names: Iterable[str]) -> Shown:
        """Return a row of a table."""
        return {name: self.value(row[name], is_hidden=self.is_hidden(table, name)) for name in names}

    def shown(self, table: str, rows: DataFrame, most: int, names: Sequence[str]) -> list[Shown]:
        """Return some rows of a table."""
        there = [name for name in names if name in rows.columns]
        return [self.row(table, one.asDict(), there) for one in rows.select(*map(quoted, there)).limit(most).collect()]


def typed(spark: SparkSession, pairs: Mapping[str, str], types: Mapping[str, str]) -> str:
    """Return SQL for the condition that columns have values, given as text; an empty one is null.

    Raises:
        CannotRunError: a value cannot be read as its column's type.
    """
    given = [(name, value) for name, value in pairs.items() if value]
    if given:
        asked = ", ".join(f"try_cast({literal(value)} AS {types[name]}) IS NULL" for name, value in given)
        for (name, value), is_bad in zip(given, spark.sql(f"SELECT {asked}").collect()[0], strict=True):
            if is_bad:
                raise CannotRunError(f'"{value}" is no {types[name]}.', f"write a value that {name} may have.")
    return where_sql(pairs, types)


def where_sql(pairs: Mapping[str, str], types: Mapping[str, str]) -> str:
    """Return SQL for the condition that columns have values that can be read as their types."""
    return " AND ".join(f"{quoted(name)} <=> try_cast({literal(value or None)} AS {types[name]})" for name, value in pairs.items())


def first(rows: DataFrame, most: int, by: Sequence[str]) -> tuple[list[dict[str, Any]], int]:
    """Return some rows, the same every time, and how many there are."""
    count = rows.count()
    order = [F.col(quoted(name)) for name in by if name in rows.columns]
    return [one.asDict() for one in (rows.orderBy(*order) if order else rows).limit(most).collect()], count
