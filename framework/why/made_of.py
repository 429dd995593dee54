"""Which rows of its inputs is a row of a table made of, and which of them are new since the table was last another?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from framework.spec.examine.around import outline_of
from framework.spec.names import literal, quoted
from framework.spec.sql.equal import equal_to
from framework.transforms.table import gathered_rows
from framework.why.sight import first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from framework.refresh.place import Place
    from framework.spec.table import GroupedTable, QueryTable
    from framework.why.sight import Shown, Sight

_MOST_COMPARED = 1_000
"""Rows that came or went and are told one by one as corrected, new or gone; of more only their number is."""


@dataclass(frozen=True)
class Difference:
    """A row that came, went, or has other values than when the table was last another."""

    kind: Literal["new", "corrected", "gone"]
    row: Shown
    was: Shown = field(default_factory=dict)
    """Of a corrected row, the values that it no longer has."""


@dataclass(frozen=True)
class Ingredient:
    """Rows of one input: how they are found, how many there are, some of them, and which of them changed."""

    table: str
    found_by: str
    count: int
    rows: list[Shown]
    came: int = 0
    went: int = 0
    differences: list[Difference] = field(default_factory=list)
    is_compared: bool = False
    """Whether what the input held before could still be read."""


def gathered(  # noqa: PLR0913, PLR0917 - what it depends on
    place: Place, sight: Sight, table: GroupedTable, where: str, before: Mapping[str, int], most: int
) -> list[Ingredient]:
    """Return the rows of the source that belong to the groups that a condition tells."""
    names = [*place.tables.read(table.source).columns]

    def rows_at(versions: Mapping[str, int] | None) -> DataFrame:
        inputs = place.inputs(table, versions)
        there = [name for name in names if name in inputs[table.source].columns]
        return gathered_rows(inputs[table.source], table, inputs).where(where).select(*map(quoted, there)).distinct()

    return [_ingredient(place, sight, table.source, "they belong to the group", rows_at(None), _then(rows_at, before), most)]


def queried(  # noqa: PLR0913, PLR0917 - what it depends on
    place: Place, sight: Sight, table: QueryTable, pairs: Mapping[str, str], before: Mapping[str, int], most: int
) -> list[Ingredient]:
    """Return the rows of each input that the query says have the same values as the row's columns."""
    schema = {name: dict(outline_of(place.project.tables[name]).columns) for name in table.inputs if name in place.project.tables}
    schema |= {name: dict.fromkeys(one.columns, "string") for name, one in place.project.references.items() if name in table.inputs}
    by_table: dict[str, dict[str, str]] = {}
    for name, value in pairs.items():
        for other, column in equal_to(table.sql, name, schema):
            by_table.setdefault(other, {})[column] = value
    found = []
    for name in table.inputs:
        if name not in by_table or name not in place.project.tables:
            found.append(Ingredient(name, "", 0, []))
            continue
        types = {column.lower(): type_ for column, type_ in schema[name].items()}
        where = " AND ".join(f"{quoted(c)} <=> try_cast({literal(v or None)} AS {types[c]})" for c, v in by_table[name].items())
        now = place.tables.read(name).where(where)
        then = _then(lambda versions, name=name, where=where: place.tables.read(name, versions[name]).where(where), before)
        said = ", ".join(f"{column} = {value or 'null'}" for column, value in by_table[name].items())
        found.append(_ingredient(place, sight, name, said, now, then, most))
    return found


def _then(rows_at: Any, before: Mapping[str, int]) -> DataFrame | None:
    if not before:
        return None
    try:
        rows: DataFrame = rows_at(before)
    except Exception:  # noqa: BLE001 - Spark's own; a version that was vacuumed, or had other columns, tells nothing
        return None
    return rows


def _ingredient(  # noqa: PLR0913, PLR0917 - what it depends on
    place: Place, sight: Sight, table: str, found_by: str, now: DataFrame, then: DataFrame | None, most: int
) -> Ingredient:
    contract = place.project.tables[table]
    key = sorted(contract.unique_key) or [name for name in contract.column_names if name in now.columns][:3]
    rows, count = first(now, most, key)
    names = [name for name in contract.column_names if name in now.columns]
    shown = [sight.row(table, row, names) for row in rows]
    if then is None or set(then.columns) != set(now.columns):
        return Ingredient(table, found_by, count, shown)
    plain = [quoted(name) for name in names]
    try:
        came = [row.asDict() for row in now.select(*plain).exceptAll(then.select(*plain)).limit(_MOST_COMPARED).collect()]
        went = [row.asDict() for row in then.select(*plain).exceptAll(now.select(*plain)).limit(_MOST_COMPARED).collect()]
    except Exception:  # noqa: BLE001 - Spark's own; a file of an old version may be gone
        return Ingredient(table, found_by, count, shown)
    return Ingredient(
        table, found_by, count, shown, len(came), len(went), _differences(sight, contract.unique_key, table, came, went), is_compared=True
    )


def _differences(sight: Sight, key: frozenset[str], table: str, came: list[dict[str, Any]], went: list[dict[str, Any]]) -> list[Difference]:
    """Return what became of which row, told by the key."""
    names = sorted(key)
    old = {tuple(row[name] for name in names): row for row in went} if names else {}
    found: list[Difference] = []
    for row in came:
        was = old.pop(tuple(row[name] for name in names), None) if names else None
        changed = {name: value for name, value in (was or {}).items() if value != row[name]}
        found.append(Difference("corrected" if was else "new", sight.row(table, row, row), sight.row(table, changed, changed)))
    gone = old.values() if names else went
    return [*found, *(Difference("gone", sight.row(table, row, row)) for row in gone)]
