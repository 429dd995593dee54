"""Which delivered rows had a key, and what became of each?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from framework.lakehouse.landing import line_of
from framework.plan.scope import scope_of
from framework.spec.columns import MappedColumn, expression_of
from framework.spec.dedupe import LatestPerKey, order
from framework.spec.names import literal, quoted
from framework.spec.rules import rules_of
from framework.spec.sql.parse import columns_in
from framework.spec.table import ROW_PLACE, FileTable, MappedTable
from framework.transforms.rows import AT, BROKEN, DUPLICATE, KEPT, ORDER, OUTCOME, RAW, SOURCE
from framework.transforms.scope import source_part
from framework.transforms.table import WHOLE, Part, traced
from framework.why.sight import where_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from framework.refresh.place import Place
    from framework.spec.rules import Rule
    from framework.spec.source import TableSource
    from framework.why.sight import Shown, Sight

_DEEPEST = 4
"""Tables that are followed, one below the other, down to a file."""


@dataclass(frozen=True)
class FilePlace:
    """Where a delivered row stands: its file, the row in it, the line if the file is still there, the load."""

    file: str
    row: int
    line: int | None
    load_id: str
    modified: str

    def __str__(self) -> str:
        """Return the place as it is printed."""
        return f"{self.file}:{self.line}" if self.line else f"{self.file} row {self.row}"


@dataclass(frozen=True)
class Made:
    """How one column was made: what was read, how the value came about, and what it is."""

    column: str
    before: Shown
    how: str
    after: str | None


@dataclass(frozen=True)
class Broken:
    """A rule that the row breaks, and what followed."""

    rule: str
    column: str | None
    message: str
    otherwise: str


@dataclass(frozen=True)
class Life:
    """One row that was read: where it stood, what was made of it, which rules it broke, what became of it."""

    table: str
    source: str
    outcome: str
    place: FilePlace | None = None
    made: list[Made] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    order: Shown = field(default_factory=dict)
    """What decides between rows of one key, the first first."""
    lost_by: str = ""
    """Which of it decided against this row."""
    below: list[Life] = field(default_factory=list)
    """Where the source's row came from, where that is itself worked out."""


def delivered(place: Place, sight: Sight, table: FileTable, where: str, most: int) -> list[Life]:
    """Return the lives of rows of a table of files."""
    rows = place.tables.read(table.table).where(where).orderBy("_load_timestamp", "_source_file", "_row_number").limit(most)
    return [
        Life(table.table, "", KEPT, _place(place, table, row), list(_as_delivered(sight, table, row)))
        for row in (one.asDict() for one in rows.collect())
    ]


def _as_delivered(sight: Sight, table: FileTable, row: Mapping[str, Any]) -> Iterator[Made]:
    for name in table.column_names:
        yield Made(name, {}, "as delivered", sight.value(row.get(name), is_hidden=sight.is_hidden(table.table, name)))


def lives_of(  # noqa: PLR0913, PLR0917 - what a life depends on
    place: Place, sight: Sight, table: MappedTable, pairs: Mapping[str, str], types: Mapping[str, str], most: int, depth: int = 0
) -> list[Life]:
    """Return the lives of all rows with certain values: the kept ones first, then those that lost, then the refused."""
    rows = traced(table, place.inputs(table), _part(place, table, pairs, types))
    rank = F.when(F.col(OUTCOME) == KEPT, 0).when(F.col(OUTCOME) == DUPLICATE, 1).otherwise(2)
    by = [f"{RAW}{name}" for name in ROW_PLACE if f"{RAW}{name}" in rows.columns]
    found = rows.where(where_sql(pairs, types)).orderBy(rank, *(F.col(quoted(name)).desc() for name in by), AT).limit(most)
    records = [one.asDict() for one in found.collect()]
    winner = next((one for one in records if one[OUTCOME] == KEPT), None)
    look = _Look(place, sight, table, winner, depth)
    return [look.life(row) for row in records]


def _part(place: Place, table: MappedTable, pairs: Mapping[str, str], types: Mapping[str, str]) -> Part:
    """Return the part of the table that has the values, where they tell one: no more than that is worked out."""
    scope = scope_of(table, place.project.tables)
    if scope is None or not set(scope.columns) <= set(pairs):
        return WHOLE
    columns = ", ".join(f"try_cast({literal(pairs[name] or None)} AS {types[name]}) AS {quoted(name)}" for name in scope.columns)
    touched = place.spark.sql(f"SELECT {columns}")
    return Part(sources=[source_part(place.tables.read(one.table), scope, i, touched) for i, one in enumerate(table.all_sources)])


class _Look:
    """A look at rows of one table that have certain values; what several of them share is looked up once."""

    def __init__(self, place: Place, sight: Sight, table: MappedTable, winner: Mapping[str, Any] | None, depth: int) -> None:
        self.place, self.sight, self.table, self.winner, self.depth = place, sight, table, winner, depth
        self.rules = {rule.name: rule for rule in rules_of(table)}
        self._below: dict[tuple[str, ...], list[Life]] = {}

    def life(self, row: Mapping[str, Any]) -> Life:
        """Return the life of one row."""
        source = self.table.all_sources[row[SOURCE]]
        raw = {name.removeprefix(RAW): value for name, value in row.items() if name.startswith(RAW)}
        other = self.place.project.tables[source.table]
        order_, lost_by = _contest(self.sight, self.table, row, self.winner)
        return Life(
            self.table.table,
            source.table,
            row[OUTCOME],
            _place(self.place, other, raw) if isinstance(other, FileTable) else None,
            list(_made(self.sight, self.table, source, raw, row)),
            [_broken(self.rules[name]) for name in row[BROKEN]],
            order_,
            lost_by,
            self.below(other, raw) if isinstance(other, MappedTable) and self.depth < _DEEPEST else [],
        )

    def below(self, table: MappedTable, raw: Mapping[str, Any]) -> list[Life]:
        """Return the lives of the row of another mapped table that was read."""
        rows = self.place.tables.read(table.table)
        names = sorted(table.unique_key) or [name for name, type_ in rows.dtypes if name in table.column_names and "<" not in type_]
        pairs = {name: "" if raw[name] is None else str(raw[name]) for name in names}
        key = (table.table, *pairs.values())
        if key not in self._below:
            self._below[key] = lives_of(self.place, self.sight, table, pairs, dict(rows.dtypes), 3, self.depth + 1)
        return self._below[key]


def _place(place: Place, table: FileTable, row: Mapping[str, Any]) -> FilePlace:
    name, number, load_id = row["_source_file"], row["_row_number"], row["_load_id"]
    files = [file for load in place.state.loads(table.table) if load.load_id == load_id for file in load.files if file.name == name]
    line = line_of(files[0], table.files, number) if files else None
    return FilePlace(name, number, line, load_id, str(row["_source_modified"]))


def _made(sight: Sight, table: MappedTable, source: TableSource, raw: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Made]:
    hidden = sight.hidden_before(table.table)
    lowered = {name.lower(): name for name in raw}
    above: list[str] = []
    for column in table.columns:
        read = _read(column, source, lowered)
        before = {name: sight.value(raw[name], is_hidden=name.lower() in hidden) for name in read}
        before |= {name: sight.value(row[name], is_hidden=sight.is_hidden(table.table, name)) for name in _own(column, source, above)}
        above.append(column.name)
        after = sight.value(row[column.name], is_hidden=sight.is_hidden(table.table, column.name))
        yield Made(column.name, before, _how(column, source), after)


def _read(column: MappedColumn, source: TableSource, raw: Mapping[str, str]) -> list[str]:
    sql = expression_of(column, source)
    names = sorted(columns_in(sql)) if sql else [column.name]
    return [raw[name.lower()] for name in names if name.lower() in raw]


def _own(column: MappedColumn, source: TableSource, above: list[str]) -> list[str]:
    """Return the table's own columns that a column is made of."""
    sql = expression_of(column, source)
    read = {name.lower() for name in (columns_in(sql) if sql else ())} | {
        name.lower() for name in (column.lookup.keys if column.lookup else ())
    }
    return [name for name in above if name.lower() in read]


def _how(column: MappedColumn, source: TableSource) -> str:
    """Return in words how a value comes about."""
    sql = expression_of(column, source)
    said = [" ".join(sql.split())] if sql else []
    if column.lookup:
        said.append(f"{column.lookup.target}.{column.lookup.take} by {', '.join(column.lookup.keys)}")
    if column.default is not None:
        said.append(f"default {column.default}")
    return ", else ".join(said)


def _broken(rule: Rule) -> Broken:
    return Broken(rule.name, rule.column, rule.message, rule.otherwise)


def _contest(sight: Sight, table: MappedTable, row: Mapping[str, Any], winner: Mapping[str, Any] | None) -> tuple[Shown, str]:
    """Return what decides between rows of one key, and what of it decided against a row that lost."""
    if table.dedupe is None:
        return {}, ""
    latest = table.dedupe.latest_by if isinstance(table.dedupe, LatestPerKey) else []
    names = {order(text).column: text for text in (*latest, *table.dedupe.tie_break)}
    columns = {name: name if name in row else f"{ORDER}{name}" for name in names}
    columns = {name: one for name, one in columns.items() if one in row}
    shown = {names[name]: sight.value(row[one], is_hidden=sight.is_hidden(table.table, name)) for name, one in columns.items()}
    if row[OUTCOME] != DUPLICATE or winner is None:
        return shown, ""
    lost = next((names[name] for name, one in columns.items() if row[one] != winner[one]), "its place in the source, or its content")
    return shown, lost
