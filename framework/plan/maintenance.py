"""What has to go from tables, and what is to be put together, by what contracts say?

Only what a reader of the contract expects goes: rows past `retention.days`, earlier states past `retention.time_travel`.
What is made of a table follows when rows go, with the next run, as it follows any other change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Literal

from framework.spec.names import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framework.spec.table import Table

DEFAULT_DAYS = 7
"""How long Delta keeps the files of earlier states where nothing is said."""
_FILES, _LOG = "delta.deletedFileRetentionDuration", "delta.logRetentionDuration"


@dataclass(frozen=True)
class Stored:
    """What there is of a table, as Delta tells it."""

    files: int
    size_bytes: int
    clustered_by: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    is_kept_by_platform: bool = False
    """Whether the platform puts its files together and removes old ones."""


@dataclass(frozen=True)
class Task:
    """One thing to do to a table."""

    table: str
    kind: Literal["rows", "purge", "keep", "cluster", "optimize", "vacuum", "runs", "left"]
    because: str
    statement: str = ""
    """SQL with `{table}` where the table's name goes; empty where there is nothing to send."""
    where: str = ""
    """The condition of the rows that go."""


def tasks_of(table: Table, stored: Stored, now: datetime) -> list[Task]:
    """Return what is to be done to a table, in order."""
    name, retention = table.table, table.retention
    found = []
    if retention and retention.days and retention.by:
        found += row_tasks(name, retention.by, retention.days, now)
    return [
        *found,
        *file_tasks(name, stored, retention.time_travel.days if retention and retention.time_travel else None, table.cluster_by),
    ]


def row_tasks(name: str, by: str, days: int, now: datetime) -> list[Task]:
    """Return how rows past their days go, from the files too.

    >>> [task.statement for task in row_tasks("visits", "came on", 30, datetime(2026, 3, 31, tzinfo=timezone.utc))]
    ["DELETE FROM {table} WHERE `came on` < DATE'2026-03-01'", 'REORG TABLE {table} APPLY (PURGE)']
    """
    oldest = (now.astimezone(timezone.utc) - timedelta(days=days)).date()
    where = f"{quoted(by)} < DATE{literal(oldest.isoformat())}"
    because = f"rows are kept {_days(days)} by {by}: those before {oldest} go"
    return [
        Task(name, "rows", because, f"DELETE FROM {{table}} WHERE {where}", where),  # noqa: S608 - quoted above
        Task(name, "purge", "rows that went are taken out of the files too", "REORG TABLE {table} APPLY (PURGE)"),
    ]


def file_tasks(name: str, stored: Stored, days: int | None, cluster_by: Iterable[str] = ()) -> list[Task]:
    """Return how a table's files are looked after.

    >>> plain, big = Stored(1, 1000), Stored(3, 3000, properties=(("delta.logRetentionDuration", "interval 30 days"),))
    >>> [task.kind for task in file_tasks("visits", plain, None)], [task.kind for task in file_tasks("visits", big, 90, ["town"])]
    (['vacuum'], ['keep', 'cluster', 'optimize', 'vacuum'])
    >>> file_tasks("visits", big, 90)[0].statement.partition("SET ")[2].split("', '")[0]
    "TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 90 days"
    >>> [task.kind for task in file_tasks("visits", Stored(9, 9, is_kept_by_platform=True), None)]
    ['left']
    """
    found = []
    wanted = {_FILES: f"interval {days} days", _LOG: f"interval {days} days"} if days else {}
    if not wanted.items() <= dict(stored.properties).items():
        told = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in wanted.items())
        found += [
            Task(name, "keep", f"earlier states can be read for {_days(days or 0)}", f"ALTER TABLE {{table}} SET TBLPROPERTIES ({told})")
        ]
    columns = tuple(cluster_by)
    if columns != stored.clustered_by:
        by = ", ".join(quoted(column) for column in columns)
        because = (
            f"rows alike in {', '.join(columns)} are kept together" if columns else "the contract names no columns to keep rows together by"
        )
        found += [Task(name, "cluster", because, f"ALTER TABLE {{table}} CLUSTER BY {f'({by})' if by else 'NONE'}")]
    if stored.is_kept_by_platform:
        return [*found, Task(name, "left", "the platform puts its files together and removes old ones")]
    if stored.files > 1:
        found += [Task(name, "optimize", f"{stored.files:,} files are put together where they are small", "OPTIMIZE {table}")]
    because = f"files of states older than {_days(days or DEFAULT_DAYS)} go"
    return [*found, Task(name, "vacuum", because, "VACUUM {table}")]


def _days(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
