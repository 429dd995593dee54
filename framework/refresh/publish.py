"""How do worked-out rows come into their table and its quarantine, in one commit each, and only where they differ?"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.lakehouse.faults import tried
from framework.lakehouse.tables import app_of
from framework.spec.table import GOES, QueryTable
from framework.transforms.differences import differences, is_comparable
from framework.transforms.scope import part_of, quarantined_part

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pyspark.sql import DataFrame

    from framework.refresh.place import Place
    from framework.refresh.work import Work
    from framework.transforms.rows import Labelled

_MOST_EXCHANGED = 0.3
"""Where a larger share of a table's rows differs, writing it anew is cheaper than exchanging them."""


class MustBeWholeError(Exception):
    """What was worked out in part cannot be put in place."""


@dataclass(frozen=True)
class Published:
    """How many rows went and came; `is_replaced` where the table was written as a whole."""

    goes: int = 0
    comes: int = 0
    more_by_rule: dict[str, int] = field(default_factory=dict)
    """Of a quarantine: by how many rows more each rule is broken."""
    is_replaced: bool = False


def is_fit(place: Place, table: str, work: Work, result: Labelled) -> bool:
    """Tell whether a part's quarantined rows have the columns that the quarantine has."""
    name = f"{table}_quarantine"
    if place.tables.version(name) is None:
        return True
    return place.tables.read(name).dtypes == result.quarantined(result.rows, work.scope).dtypes


def publish(  # noqa: PLR0913 - what a commit depends on
    place: Place, table: str, rows: DataFrame, work: Work, *, known: int | None, rules: Sequence[str] | None = None
) -> Published:
    """Bring a table from what it holds to `rows`, within the parts that were worked out.

    `known` is how many rows it held; None where it must be written as a whole. `rules` are those of a quarantine.

    Raises:
        MustBeWholeError: `rows` are a part, and the table cannot be changed in part.
    """
    old = place.tables.read(table) if known is not None and place.tables.version(table) is not None else None
    if old is None or old.dtypes != rows.dtypes or not is_comparable(rows):
        if work.touched is not None and known:
            raise MustBeWholeError
        return _replace(place, table, rows)
    if work.touched is not None:
        old = quarantined_part(old, work.scope, work.touched) if rules is not None else part_of(old, work.scope, work.touched)
    told, metrics = differences(old, rows, rules)
    found = place.staging.write(f"{table} differences", told)
    counts = metrics.values()
    published = Published(counts.pop("goes"), counts.pop("comes"), counts)
    if work.touched is None and published.goes + published.comes > _MOST_EXCHANGED * (known or 0):
        return _replace(place, table, rows)
    if published.goes:
        # Where only this engine wrote, the key tells a row; where somebody else may have, every column has to.
        is_ours = work.touched is not None and rules is None and not isinstance(place.project.tables[table], QueryTable)
        _exchange(place, table, found, place.project.tables[table].unique_key if is_ours else ())
    elif published.comes:
        add(place, table, found.where(~F.col(GOES)).drop(GOES))
    place.staging.clear(f"{table} differences")
    return published


def add(place: Place, table: str, rows: DataFrame) -> None:
    """Append rows, once in a run however often it is tried."""
    tried(lambda: place.tables.append(table, rows, once=(f"{app_of(table)}.{place.run_id}", 1)))


def keep_best(place: Place, table: str, rows: DataFrame) -> str:
    """Keep the best rows for the next time and return the name under which they are."""
    name = f"{table}/{place.run_id}"
    rows.write.mode("overwrite").parquet(str(place.state.folder / "best" / name))
    return name


def forget_best(place: Place, table: str, *, but: str) -> None:
    """Remove the best rows of earlier runs."""
    for path in (place.state.folder / "best" / table).glob("*"):
        if f"{table}/{path.name}" != but:
            shutil.rmtree(path, ignore_errors=True)


def _replace(place: Place, table: str, rows: DataFrame) -> Published:
    tried(lambda: place.tables.overwrite(table, rows))
    return Published(is_replaced=True)


def _exchange(place: Place, table: str, rows: DataFrame, key: Collection[str]) -> None:
    before = place.version(table)

    def once() -> None:
        # A try that failed after its commit must not put the rows in twice.
        if place.version(table) == before:
            place.tables.exchange(table, rows, key)

    tried(once)
