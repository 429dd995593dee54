"""What has to be worked out, so that a table is what working it all out anew would make of it?

- Of a mapped table, the scopes (see `plan/scope.py`) of source rows that came or went, and of rows that find something
  else in another table now.
- Where rows tell no scope before they are exploded, and old rows cannot change: the new rows, held against the best so far.
- Of a grouped table, the groups that changed rows belonged to before, and those that they belong to now; where its measures
  add up, only what is added to them.
- Of a query, all.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.plan.scope import is_contest, needs_of, scope_of, sums_of
from framework.spec.names import quoted
from framework.spec.table import CHANGE, GroupedTable, MappedTable
from framework.transforms.joins import matching
from framework.transforms.rows import Metrics
from framework.transforms.scope import net, part_of, scopes_in, scopes_needing, source_part
from framework.transforms.table import WHOLE, Added, Part, groups_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pyspark.sql import DataFrame

    from framework.plan.scope import Scope
    from framework.plan.steps import Built
    from framework.refresh.place import Place
    from framework.spec.table import Table

_MOST_TOUCHED = 0.5
"""Where a larger share of a table is touched, working it all out is cheaper."""

_GONE = re.compile(
    r"DELTA_(MISSING|CHANGE_|FILE_NOT_FOUND|VERSION|CDC_|INVALID_CDC|UNSUPPORTED_TIME_TRAVEL|.*CHANGE_DATA)|FileNotFound|NOT_ORDERABLE"
    r"|PATH_NOT_FOUND|FILE_NOT_EXIST|VersionNotFound"
    # A catalog does not say what a table was that has masks or a row filter.
    r"|TIME_TRAVEL|ROW_FILTER|COLUMN_MASK|ROW_COLUMN_ACCESS"
)


@dataclass(frozen=True)
class Work:
    """What is worked out, and which rows of the table it stands in place of."""

    part: Part = WHOLE
    scope: tuple[str, ...] = ()
    """The columns that tell a part of the table; also of those that are worked out whole."""
    touched: DataFrame | None = None
    """The parts, as values of `scope`; all where there are none."""
    keep_best: bool = False
    """Whether the best rows are kept for the next time."""
    went: tuple[Metrics, ...] = ()
    """The numbers of source rows that went, as `went`, after the work was done; where there are any, the best are not known."""

    @property
    def is_whole(self) -> bool:
        """Tell whether all of the table is worked out."""
        return self.part is WHOLE


def is_gone(error: BaseException) -> bool:
    """Tell whether an error says that what a table was, or how it changed, can no longer be read."""
    return bool(_GONE.search(f"{type(error).__name__}: {error}"))


def whole_work(place: Place, table: Table) -> Work:
    """Return the work of making a table from all of its inputs."""
    if isinstance(table, GroupedTable):
        return Work(scope=tuple(table.group_by))
    if not isinstance(table, MappedTable):
        return Work()
    scope = scope_of(table, place.project.tables)
    return Work(scope=scope.columns if scope else (), keep_best=scope is None and is_contest(table, place.project.tables))


def needed_work(place: Place, table: Table, before: Built, versions: Mapping[str, int]) -> Work | None:
    """Return the work that follows from what changed since `before`; None where no row of the table can be another.

    `versions` are those that the table's inputs have now.
    """
    changed = {name: before.inputs.get(name, -1) for name, version in versions.items() if version != before.inputs.get(name)}
    if not all(place.can_tell(name, since) for name, since in changed.items()):
        return whole_work(place, table)
    if isinstance(table, GroupedTable):
        return _groups(place, table, before, changed)
    if not isinstance(table, MappedTable):
        return whole_work(place, table)
    scope = scope_of(table, place.project.tables)
    if scope:
        return _scopes(place, table, scope, before, changed)
    return _contest(place, table, before, changed) if before.best else whole_work(place, table)


def _scopes(place: Place, table: MappedTable, scope: Scope, before: Built, changed: Mapping[str, int]) -> Work | None:
    found = _touched_scopes(place, table, scope, changed)
    if found is None:
        return whole_work(place, table)
    if not found:
        return None
    touched, count = place.staged(f"{table.table} touched", _union(found).distinct())
    if not count:
        return None
    if count > _MOST_TOUCHED * before.rows:
        return whole_work(place, table)
    sources = [source_part(place.tables.read(source.table), scope, number, touched) for number, source in enumerate(table.all_sources)]
    return Work(Part(sources=sources), scope.columns, touched)


def _touched_scopes(place: Place, table: MappedTable, scope: Scope, changed: Mapping[str, int]) -> list[DataFrame] | None:
    """Return the scopes that changes touch, repeats and all; None where it cannot be told which."""
    sources = list(enumerate(table.all_sources))
    found = [
        scopes_in(place.changes(source.table, changed[source.table]).drop(CHANGE), scope, number)
        for number, source in sources
        if source.table in changed
    ]
    for name, since in changed.items():
        needs = needs_of(table, scope, name)
        if needs is None or (not needs and all(source.table != name for _, source in sources)):
            return None
        for one in needs:
            keys = _changed_keys(place, table.table, (name, since), one.on.values(), one.take)
            if keys is not None:
                found += [scopes_needing(place.tables.read(source.table), scope, number, one, keys) for number, source in sources]
    return found


def _contest(place: Place, table: MappedTable, before: Built, changed: Mapping[str, int]) -> Work:
    sources, went = [], []
    for source in table.all_sources:
        if source.table not in changed:
            sources.append(place.tables.read(source.table).where("false"))
            continue
        feed = Metrics(place.changes(source.table, changed[source.table]), F.count_if(F.col(CHANGE) < 0).alias("went"))
        went.append(feed)
        sources.append(feed.rows.where(F.col(CHANGE) > 0).drop(CHANGE))
    return Work(Part(sources=sources, best=place.best(before.best)), keep_best=True, went=tuple(went))


def _groups(place: Place, table: GroupedTable, before: Built, changed: Mapping[str, int]) -> Work | None:
    now, then = place.inputs(table), place.inputs(table, before.inputs)
    moved = _moved(place, table, changed, now[table.source], then[table.source])
    if moved is None:
        return whole_work(place, table)
    came, went = moved
    if not came:
        return None
    sums = sums_of(table, place.project.tables, place.project.lineage.may_be_null)
    if sums:
        values = _union(rows.select(quoted(sums.by)) for rows in (*came, *went)).distinct()
    else:
        values = _union([*(groups_of(rows, table, now) for rows in came), *(groups_of(rows, table, then) for rows in went)]).distinct()
    touched, count = place.staged(f"{table.table} touched", values)
    if not count:
        return None
    if sums:
        halves = {name: part_of(one[table.source], [sums.by], touched) for name, one in (("now", now), ("before", then))}
        return Work(Part(added=Added(**halves, then=then, there=place.tables.read(table.table), sums=sums)), tuple(table.group_by))
    if count > _MOST_TOUCHED * before.rows:
        return whole_work(place, table)
    return Work(Part(groups=touched), tuple(table.group_by), touched)


def _moved(
    place: Place, table: GroupedTable, changed: Mapping[str, int], now: DataFrame, then: DataFrame
) -> tuple[list[DataFrame], list[DataFrame]] | None:
    """Return the source's rows that may belong to other groups now, as they are and as they were; None where it cannot be told."""
    came: list[DataFrame] = []
    went: list[DataFrame] = []
    if table.source in changed:
        feed = place.changes(table.source, changed[table.source])
        came.append(feed.where(F.col(CHANGE) > 0).drop(CHANGE))
        went.append(feed.where(F.col(CHANGE) < 0).drop(CHANGE))
    for join in table.joins:
        if join.table not in changed:
            continue
        if not set(now.columns).issuperset(join.on):
            return None
        keys = _changed_keys(place, table.table, (join.table, changed[join.table]), join.on.values(), join.take.values())
        if keys is not None:
            came.append(matching(now, keys, join.on))
            went.append(matching(then, keys, join.on))
    return came, went


def _changed_keys(place: Place, table: str, other: tuple[str, int], on: Collection[str], take: Collection[str]) -> DataFrame | None:
    """Return the keys under which a table finds other values in another, changed since a version; None where there are none."""
    changes = net(place.changes(*other), [*dict.fromkeys([*on, *take])]).select(*map(quoted, on)).distinct()
    # Few changes change what is taken: to know that there are none spares reading all rows that look there.
    name = f"{table} keys {other[0]} {zlib.crc32(repr((*on, *take)).encode())}"
    staged, count = place.staged(name, changes)
    return staged if count else None


def _union(parts: Iterable[DataFrame]) -> DataFrame:
    return reduce(lambda one, other: one.unionByName(other), parts)
