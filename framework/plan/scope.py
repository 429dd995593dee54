"""By which columns can a part of a table be worked out alone?

What a table holds of one scope (one key, one document, one day) is made of the source rows of that scope and of
nothing else. So the scopes that a delivery touches are worked out again, whole, and all others stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from framework.spec.checks import In
from framework.spec.columns import expression_of
from framework.spec.dedupe import ExactRepeats, LatestPerKey
from framework.spec.examine.around import outline_of
from framework.spec.history import Versions
from framework.spec.sql.parse import aggregates, columns_in, name_of, parsed
from framework.spec.sql.types import read_type
from framework.spec.table import FileTable, MappedTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from framework.spec.columns import MappedColumn
    from framework.spec.source import TableSource
    from framework.spec.table import GroupedTable, Table

_ENOUGH = 3
"""Columns that tell whole rows apart well enough, where the whole row is the key."""


@dataclass(frozen=True)
class Scope:
    """Columns of a mapped table that tell which part of it a row belongs to.

    `reduced` is the contract with nothing but what works them out: from a source row, before it is exploded or joined.
    """

    columns: tuple[str, ...]
    reduced: MappedTable


@dataclass(frozen=True)
class Needs:
    """What a row of a mapped table takes from another table: `on` says how it is found there, as {here: there}."""

    table: str
    on: dict[str, str]
    take: tuple[str, ...]
    unless: str | None
    """A column; only rows that have no value of their own for it look there."""
    reduced: MappedTable
    """The contract with nothing but what works out the scope, `on` and `unless`."""


def scope_of(table: MappedTable, tables: Mapping[str, Table]) -> Scope | None:
    """Return by what a part of a table can be worked out alone; None where only the whole will do."""
    if isinstance(table.dedupe, LatestPerKey):
        begins = table.history.versions.from_ if isinstance(table.history, Versions) else None
        candidates = [name for name in table.dedupe.key if name != begins]
    elif isinstance(table.dedupe, ExactRepeats):
        # What has to be read out of JSON first costs more than it tells.
        plain = [column for column in table.columns if "<" not in column.type]
        candidates = [column.name for column in sorted(plain, key=lambda column: (_of_json(table, column), not column.required))]
    else:
        candidates = _of_source(table, tables)
    found = [name for name in candidates if _tells_early(table, name)]
    if isinstance(table.dedupe, ExactRepeats):
        found = found[:_ENOUGH]
    return Scope(tuple(found), _reduced(table, found, explode=False)) if found else None


@dataclass(frozen=True)
class Sums:
    """What of a grouped table can be added up part by part: all of its measures, where rows are parted by the column `by`.

    Sums and counts of two parts add up; so do counts of distinct values where the parts share no value. `rows` is the
    measure that is zero only where a group has no row.
    """

    by: str
    measures: tuple[str, ...]
    rows: str


def sums_of(table: GroupedTable, tables: Mapping[str, Table], may_be_null: Callable[[tuple[str, str]], bool]) -> Sums | None:
    """Return how the measures of a grouped table add up; None where one of them does not, such as a maximum."""
    hidden = {name for join in table.joins for name in join.take} | {column.name for column in table.columns if column.expr}
    given = {name: type_ for name, type_ in outline_of(tables[table.source]).columns.items() if name not in hidden}
    by: set[str] = set()
    rows: list[str] = []
    measures = [column for column in table.columns if column.measure and aggregates(column.measure)]
    for column in measures:
        call = _call(column.measure or "")
        if call is None:
            return None
        name, argument = call
        of_rows = argument == "*"
        if not of_rows and argument not in given:
            return None
        if name == "sum" and (may_be_null((table.source, argument)) or not _adds_exactly(given[argument], column.type)):
            return None
        if name == "count distinct":
            by.add(argument)
        if name != "sum" and (of_rows or not may_be_null((table.source, argument))):
            rows.append(column.name)
    return Sums(by.pop(), tuple(column.name for column in measures), rows[0]) if len(by) == 1 and rows else None


def _call(measure: str) -> tuple[str, str] | None:
    """Return function and argument of `sum(x)`, `count(*)`, `count(x)` or `count(distinct x)`; None of anything else.

    >>> _call("count(distinct a)"), _call("sum(a * b)")
    (('count distinct', 'a'), None)
    """
    tree = parsed(measure)
    name, arguments = name_of(tree), list(tree.expressions)
    if name not in {"sum", "count"} or len(arguments) != 1:
        return None
    argument = arguments[0]
    if isinstance(argument, exp.Distinct) and len(argument.expressions) == 1:
        name, argument = f"{name} distinct", argument.expressions[0]
    if isinstance(argument, exp.Star):
        return name, "*"
    return (name, argument.name) if isinstance(argument, exp.Column) and len(argument.parts) == 1 and name != "sum distinct" else None


def _adds_exactly(given: str, sum_: str) -> bool:
    """Tell whether sums of a type are exact and none of their digits are lost in the measure's type."""
    one, other = read_type(given), read_type(sum_)
    if one.family != "number" or {one.base, other.base} & {"double", "float"}:
        return False
    return (other.scale or 0) >= (one.scale or 0)


def is_contest(table: MappedTable, tables: Mapping[str, Table]) -> bool:
    """Tell whether new rows need only be held against the best rows so far, because no old row can change or go unnoticed."""
    others = {name for name, use in table.inputs.items() if use != "source" and name in tables}
    return (
        isinstance(table.dedupe, LatestPerKey)
        and table.history == "current"
        and not others
        and all(isinstance(tables[source.table], FileTable) for source in table.all_sources)
    )


def needs_of(table: MappedTable, scope: Scope, other: str) -> tuple[Needs, ...] | None:
    """Return what rows take from another table; None where it cannot be told which rows a change of it concerns."""
    if any(join.table == other for join in table.joins):
        return None
    found = []
    for column in table.columns:
        for check in column.checks:
            if isinstance(check, In) and check.target and check.target[0] == other:
                if column.lookup or not _stands_early(table, column.name):
                    return None
                found.append(Needs(other, {column.name: check.target[1]}, (), None, _reduced(table, [*scope.columns, column.name])))
        lookup = column.lookup
        if lookup and lookup.target == other:
            own = {one.name: one for one in table.columns}
            unless = column.name if any(expression_of(column, source) for source in table.all_sources) else None
            keys_stand = all(name in own and not own[name].lookup and _stands_early(table, name) for name in lookup.keys)
            if not keys_stand or not _stands_early(table, column.name):
                return None
            asked = [*scope.columns, *lookup.keys, *([unless] if unless else [])]
            found.append(Needs(other, lookup.keys, (lookup.take,), unless, _reduced(table, asked, without_default=unless)))
    return tuple(found)


def _reduced(table: MappedTable, names: Iterable[str], *, explode: bool = True, without_default: str | None = None) -> MappedTable:
    """Return the contract with nothing but what works out some columns, as they are before anything is looked up."""
    keep = _closure(table, names)
    bare: dict[str, Any] = {"checks": [], "lookup": None, "required": False, "unreadable": None}
    columns = [
        column.model_copy(update=bare | ({"default": None} if column.name == without_default else {}))
        for column in table.columns
        if column.name in keep
    ]
    sources = []
    for source in table.all_sources:
        read = {name for column in columns for name in _reads(column, source)} | (
            {source.explode.column} if source.explode and explode else set()
        )
        json = {name: one for name, one in source.parse_json.items() if name in read}
        sources.append(source.model_copy(update={"parse_json": json, "explode": source.explode if explode else None}))
    update = {"columns": columns, "checks": [], "joins": [], "dedupe": None, "history": "current"}
    return table.model_copy(update=update | ({"source": sources[0]} if table.source else {"sources": sources}))


def _of_json(table: MappedTable, column: MappedColumn) -> bool:
    return any(_reads(column, source) & set(source.parse_json) for source in table.all_sources)


def _reads(column: MappedColumn, source: TableSource) -> set[str]:
    sql = expression_of(column, source)
    return set(columns_in(sql)) if sql else {column.name}


def _closure(table: MappedTable, names: Iterable[str]) -> set[str]:
    """Return columns, and those declared above them that they are made of."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        place = next(i for i, column in enumerate(table.columns) if column.name == name)
        read = {one.lower() for source in table.all_sources for one in _reads(table.columns[place], source)}
        waiting += [column.name for column in table.columns[:place] if column.name.lower() in read]
    return found


def _tells_early(table: MappedTable, name: str) -> bool:
    """Tell whether a column's final value follows from a source row alone, before that is exploded."""
    own = {column.name: column for column in table.columns}
    exploded = {one for source in table.all_sources if source.explode for one in (source.explode.as_, source.explode.position)}
    return (
        name in own
        and _stands_early(table, name)
        and not own[name].lookup
        and not _emptied(own[name])
        and name not in getattr(table.dedupe, "fill", ())
        and not any(_reads(own[one], source) & exploded for one in _closure(table, [name]) for source in table.all_sources)
    )


def _stands_early(table: MappedTable, name: str) -> bool:
    """Tell whether all that a column is made of is the source row's own, before anything is joined, looked up or emptied."""
    taken = {one for join in table.joins for one in join.take}
    columns = [column for column in table.columns if column.name in _closure(table, [name])]
    below = [column for column in columns if column.name != name]
    return not any(column.lookup or _emptied(column) for column in below) and not any(
        _reads(column, source) & taken for column in columns for source in table.all_sources
    )


def _emptied(column: MappedColumn) -> bool:
    return any(check.otherwise == "set_null" for check in column.checks)


def _of_source(table: MappedTable, tables: Mapping[str, Table]) -> list[str]:
    """Return the columns of a table without a key that tell its source's rows apart."""
    sources = table.all_sources
    keys = tables[sources[0].table].unique_key if len(sources) == 1 else frozenset()
    copies = [column.name for column in table.columns if (expression_of(column, sources[0]) or column.name) in keys]
    return copies or [column.name for column in table.columns if column.required and "<" not in column.type][:_ENOUGH]
