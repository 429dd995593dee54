"""Which part of a table do changes touch, and how is no more than that worked out?"""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.names import quoted
from framework.spec.table import CHANGE
from framework.transforms.columns import mapped
from framework.transforms.joins import matching
from framework.transforms.rows import KEY, RAW
from framework.transforms.source import source_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from framework.plan.scope import Needs, Scope
    from framework.spec.table import MappedTable


def net(changes: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Return the values of `columns` that came or went, once each, without those that only moved."""
    named = [F.col(quoted(name)) for name in columns]
    return changes.groupBy(*named).agg(F.signum(F.sum(CHANGE)).cast("int").alias(CHANGE)).where(F.col(CHANGE) != 0)


def scopes_in(rows: DataFrame, scope: Scope, source: int) -> DataFrame:
    """Return the scopes that rows of a source belong to."""
    return _worked_out(rows, scope.reduced, source).select(*map(quoted, scope.columns))


def scopes_needing(rows: DataFrame, scope: Scope, source: int, needs: Needs, changed: DataFrame) -> DataFrame:
    """Return the scopes of the rows of a source that find something else in another table now; `changed` holds keys there."""
    found = _worked_out(rows, needs.reduced, source)
    if needs.unless:
        found = found.where(F.col(quoted(needs.unless)).isNull())
    return matching(found, changed, needs.on).select(*map(quoted, scope.columns))


def source_part(rows: DataFrame, scope: Scope, source: int, touched: DataFrame) -> DataFrame:
    """Return the rows of a source that belong to the touched scopes."""
    found = _worked_out(rows, scope.reduced, source).select(
        *(F.col(quoted(f"{RAW}{name}")).alias(name) for name in rows.columns),
        *(F.col(quoted(name)).alias(f"__scope_{name}") for name in scope.columns),
    )
    return part_of(found, scope.columns, touched, prefix="__scope_").select(*map(quoted, rows.columns))


def part_of(rows: DataFrame, columns: Sequence[str], touched: DataFrame, *, prefix: str = "") -> DataFrame:
    """Return the rows whose columns, named `prefix` and the scope's name, stand in `touched`; null equals null."""
    given, types = dict(rows.dtypes), dict(touched.dtypes)
    there = touched.select(
        *(
            (F.col(quoted(name)) if given[prefix + name] == types[name] else F.col(quoted(name)).try_cast(given[prefix + name])).alias(
                f"__touched_{name}"
            )
            for name in columns
        )
    )
    equal = [F.col(quoted(prefix + name)).eqNullSafe(F.col(quoted(f"__touched_{name}"))) for name in columns]
    return rows.join(there, reduce(and_, equal), "left_semi")


def quarantined_part(rows: DataFrame, columns: Sequence[str], touched: DataFrame) -> DataFrame:
    """Return the rows of a quarantine that belong to the touched scopes."""
    keyed = rows.withColumns({f"__scope_{name}": F.col(f"{KEY}.{quoted(name)}") for name in columns})
    return part_of(keyed, columns, touched, prefix="__scope_").select(*map(quoted, rows.columns))


def _worked_out(rows: DataFrame, reduced: MappedTable, source: int) -> DataFrame:
    one = reduced.all_sources[source]
    return mapped(source_rows(rows, reduced, one), reduced, one, {})
