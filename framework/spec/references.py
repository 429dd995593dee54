"""Do the names in the contracts lead somewhere: tables, columns, principals, layers?"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from framework.spec.dedupe import LatestPerKey, order
from framework.spec.expression import columns_in, query_columns
from framework.spec.history import Versions
from framework.spec.problem import Problem, did_you_mean
from framework.spec.source import Lookup
from framework.spec.table import CARRIED, FILE_TECHNICAL, FileTable, GroupedTable, MappedTable, QueryTable, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from framework.spec.checks import Check
    from framework.spec.load import Document
    from framework.spec.metadata import Metadata, Reference
    from framework.spec.source import Join, TableSource

Found = dict[str, tuple[Table, "Document"]]


def visible_columns(table: Table, tables: dict[str, Table]) -> tuple[str, ...]:
    """Return the columns another contract may read of a table, the engine's own included."""
    if isinstance(table, FileTable):
        return (*table.column_names, *FILE_TECHNICAL)
    if isinstance(table, MappedTable):
        sources = [tables[source.table] for source in table.all_sources if source.table in tables]
        below = [set(visible_columns(source, tables)) for source in sources if source is not table]
        carried = [name for name in CARRIED if all(name in columns for columns in below) and name not in table.column_names]
        return (*table.column_names, *carried)
    return table.column_names


def problems_between(found: Found, references: dict[str, Reference], metadata: Metadata, broken: set[str]) -> list[Problem]:
    """Return what does not fit between contracts; names in `broken` exist but could not be read."""
    circles = list(_cycles(found))
    if circles:
        return circles
    tables = {name: table for name, (table, _) in found.items()}
    problems: list[Problem] = []
    for table, document in found.values():
        problems += _Examination(table, document, tables, references, metadata, broken).problems()
    return problems


def _cycles(found: Found) -> Iterator[Problem]:
    graph = {name: [i for i in table.inputs if i in found] for name, (table, _) in found.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
        yield Problem(
            found[circle[0]][1].place(("table",)),
            "cycle",
            f"These tables feed each other in a circle: {' → '.join(reversed(circle))}.",
            "no order of running them would be right.",
            "take one of the references out, or split a table.",
        )


class _Examination:
    """One contract's names, looked up."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a contract may refer to
        self,
        table: Table,
        document: Document,
        tables: dict[str, Table],
        references: dict[str, Reference],
        metadata: Metadata,
        broken: set[str],
    ) -> None:
        self.table, self.document, self.tables = table, document, tables
        self.references, self.metadata, self.broken = references, metadata, broken

    def problems(self) -> Iterator[Problem]:
        yield from self._names()
        yield from self._inputs()
        match self.table:
            case MappedTable():
                yield from self._mapped(self.table)
            case GroupedTable():
                yield from self._grouped(self.table)
            case QueryTable():
                yield from self._query(self.table)

    def _names(self) -> Iterator[Problem]:
        table = self.table
        seen: set[str] = set()
        for i, column in enumerate(table.all_columns):
            if column.name in seen:
                yield Problem(
                    self.document.place(("columns", i, "name")),
                    "duplicate-column",
                    f'The column "{column.name}" is declared twice.',
                    "a table has one column of a name.",
                    "rename one of them, or delete it.",
                )
            seen.add(column.name)
            if column.pii and column.pii not in self.metadata.pii:
                yield self._unknown(
                    "unknown-pii-class", ("columns", i, "pii"), f'There is no PII class "{column.pii}".', column.pii, self.metadata.pii
                )
        if table.layer not in self.metadata.layers:
            yield self._unknown("unknown-layer", ("layer",), f'There is no layer "{table.layer}".', table.layer, self.metadata.layers)
        for name in {table.owner, *table.grants} - set(self.metadata.principals):
            loc = ("grants", name) if name in table.grants else ("owner",)
            yield self._unknown(
                "unknown-principal", loc, f'metadata/principals.yml has no principal "{name}".', name, self.metadata.principals
            )
        if table.retention:
            yield from self._own([table.retention.by], ("retention", "by"), visible_columns(table, self.tables))

    def _inputs(self) -> Iterator[Problem]:
        known = {*self.tables, *self.references}
        for name, use in self.table.inputs.items():
            if name not in known and name not in self.broken:
                yield self._unknown(
                    "unknown-table",
                    self._mention(name),
                    f'The {use} names "{name}"; no contract and no reference data has that name.',
                    name,
                    known - {self.table.table},
                )

    def _mapped(self, table: MappedTable) -> Iterator[Problem]:
        if not set(table.inputs) <= {*self.tables, *self.references}:
            return
        joined = [name for join in table.joins for name in join.take]
        own: list[str] = []
        for i, source in enumerate(table.all_sources):
            at: tuple[int | str, ...] = ("sources", i) if table.sources else ("source",)
            visible = {*self._columns(source.table), *joined}
            yield from self._own(source.parse_json, (*at, "parse_json"), visible)
            if source.explode:
                yield from self._own([source.explode.column], (*at, "explode", "column"), visible)
                visible |= {source.explode.as_, source.explode.position or source.explode.as_}
            yield from self._own(source.columns, (*at, "columns"), [column.name for column in table.columns])
            own = []
            for j, column in enumerate(table.columns):
                yield from self._expression(column.expr, source, column.name, (*at, "columns"), j, {*visible, *own})
                own.append(column.name)
                if column.lookup:
                    loc: tuple[int | str, ...] = ("columns", j, "lookup")
                    yield from self._own(column.lookup.keys, (*loc, "on"), {*visible, *own})
                    yield from self._taken(column.lookup, {column.lookup.take: column.lookup.take}, loc)
                yield from self._checks(column.checks, ("columns", j, "checks"), {*visible, *own})
            yield from self._checks(table.checks, ("checks",), {*visible, *own})
        for i, join in enumerate(table.joins):
            yield from self._taken(join, join.take, ("joins", i))
        yield from self._dedupe(table)

    def _expression(  # noqa: PLR0913, PLR0917 - one column of one source
        self, expr: str | None, source: TableSource, name: str, at: tuple[int | str, ...], index: int, visible: set[str]
    ) -> Iterator[Problem]:
        loc: tuple[int | str, ...] = ("columns", index, "expr")
        if name in source.columns:
            expr, loc = source.columns[name], (*at, name)
        column = self.table.all_columns[index]
        if expr is None and getattr(column, "lookup", None):
            return
        if expr is None:
            loc = ("columns", index, "name")
            if name not in visible and getattr(column, "default", None) is not None:
                return
        yield from self._own(columns_in(expr) if expr else [name], loc, visible)

    def _dedupe(self, table: MappedTable) -> Iterator[Problem]:
        if table.dedupe is None:
            return
        own = [column.name for column in table.columns]
        shared = set.intersection(*({*self._columns(source.table)} for source in table.all_sources))
        if isinstance(table.dedupe, LatestPerKey):
            yield from self._own(table.dedupe.key, ("dedupe", "key"), own)
            yield from self._own(table.dedupe.fill, ("dedupe", "fill"), own)
            yield from self._own([order(o).column for o in table.dedupe.latest_by], ("dedupe", "latest_by"), {*own, *shared})
        yield from self._own([order(o).column for o in table.dedupe.tie_break], ("dedupe", "tie_break"), {*own, *shared})
        if isinstance(table.history, Versions):
            key = table.dedupe.key if isinstance(table.dedupe, LatestPerKey) else []
            yield from self._own([table.history.versions.from_], ("history", "versions", "from"), key)

    def _grouped(self, table: GroupedTable) -> Iterator[Problem]:
        if not set(table.inputs) <= {*self.tables, *self.references}:
            return
        visible = {*self._columns(table.source)}
        for i, join in enumerate(table.joins):
            yield from self._own(join.on, ("joins", i, "on"), visible)
            yield from self._taken(join, join.take, ("joins", i))
            visible |= set(join.take)
        yield from self._checks(table.checks, ("checks",), visible)
        if table.periods:
            yield from self._own([table.periods.of], ("periods", "of"), visible)
            visible |= {"period_type", "period_start"}
        measures: set[str] = set()
        for i, column in enumerate(table.columns):
            if column.measure:
                yield from self._own(columns_in(column.measure), ("columns", i, "measure"), {*visible, *measures})
                measures.add(column.name)
            else:
                yield from self._own(columns_in(column.expr) if column.expr else [column.name], ("columns", i, "name"), visible)
        yield from self._own(table.group_by, ("group_by",), set(table.column_names) - measures)
        for i, column in enumerate(table.columns):
            if not column.measure and column.name not in table.group_by:
                yield Problem(
                    self.document.place(("columns", i, "name")),
                    "missing-key",
                    f'The column "{column.name}" is no measure and not in `group_by`.',
                    "a group has one value for a column only when it is part of the key.",
                    "add it to `group_by`, or give it a `measure`.",
                )

    def _query(self, table: QueryTable) -> Iterator[Problem]:
        output = query_columns(table.sql)
        if output:
            for i, column in enumerate(table.columns):
                yield from self._own([column.name], ("columns", i, "name"), output)
        yield from self._own(table.key, ("key",), table.column_names)
        yield from self._checks(table.checks, ("checks",), table.column_names)

    def _checks(self, checks: Iterable[Check], loc: tuple[int | str, ...], visible: Iterable[str]) -> Iterator[Problem]:
        for i, check in enumerate(checks):
            sql, target = getattr(check, "sql", None), getattr(check, "target", None)
            if sql:
                yield from self._own(columns_in(sql), (*loc, i, "sql"), visible)
            if target:
                yield from self._own([target[1]], (*loc, i, "in"), self._columns(target[0]))

    def _taken(self, join: Join | Lookup, take: dict[str, str], loc: tuple[int | str, ...]) -> Iterator[Problem]:
        name = join.target if isinstance(join, Lookup) else join.table
        on = join.keys if isinstance(join, Lookup) else join.on
        there = self._columns(name)
        yield from self._own(on.values(), (*loc, "on"), there)
        yield from self._own(take.values(), (*loc, "take"), there)
        if not set(on.values()) <= set(there):
            return
        if name in self.references:
            unique = len(on) == 1 and not self.references[name].repeats(next(iter(on.values())))
        else:
            key = self.tables[name].unique_key
            unique = bool(key) and key <= set(on.values())
        if not unique:
            yield Problem(
                self.document.place((*loc, "on")),
                "ambiguous-join",
                f'Several rows of "{name}" can have the same {", ".join(on.values())}.',
                "each row here would come back once for every match, and sums would be too high.",
                f'match on the whole key of "{name}"'
                + (
                    f": {', '.join(sorted(self.tables[name].unique_key))}."
                    if name in self.tables
                    else ", and keep one row per value in it."
                ),
            )

    def _columns(self, name: str) -> tuple[str, ...]:
        if name in self.references:
            return self.references[name].columns
        return visible_columns(self.tables[name], self.tables) if name in self.tables else ()

    def _own(self, names: Iterable[str], loc: tuple[int | str, ...], visible: Iterable[str]) -> Iterator[Problem]:
        visible = tuple(visible)
        lower = {name.lower() for name in visible}
        for name in names:
            if name.lower() not in lower:
                yield self._unknown("unknown-column", self._inside(loc, name), f'There is no column "{name}" here.', name, visible)

    def _inside(self, loc: tuple[int | str, ...], name: str) -> tuple[int | str, ...]:
        """Return the place of `name` in the list or mapping at `loc`, where it is one."""
        for place in self.document.values:
            if place[: len(loc)] == loc and len(place) == len(loc) + 1 and self._at(place).split(" ")[0] == name:
                return place
        return (*loc, name)

    def _mention(self, name: str) -> tuple[int | str, ...]:
        for place in self.document.values:
            text = self._at(place)
            if text == name or (place[-1:] == ("in",) and text.startswith(f"{name}.")):
                return place
        return ("sql",)

    def _at(self, loc: tuple[int | str, ...]) -> str:
        value = self.document.value
        for part in loc:
            value = value[part]
        return value if isinstance(value, str) else ""

    def _unknown(self, code: str, loc: tuple[int | str, ...], what: str, name: str, known: Iterable[str]) -> Problem:
        place = self.document.keys.get(loc) or self.document.place(loc)
        return Problem(place, code, what, "the name leads nowhere.", did_you_mean(name, known))
