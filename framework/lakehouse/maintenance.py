"""How is a warehouse kept small and quick: rows and earlier states that are past their days, many small files, old runs?

Only who holds the lock works here, so that no run reads what goes meanwhile. Each task is finished for itself: killed
anywhere and run again, what is left is done.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from framework.lakehouse.lock import locked
from framework.lakehouse.run_tables import SCHEMAS
from framework.lakehouse.session import start_session
from framework.plan.maintenance import Task, file_tasks, tasks_of
from framework.spec.names import literal
from framework.spec.problem import CannotRunError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.lakehouse.tables import Tables

_QUARANTINE = "_quarantine"
_MAY_FIND_NOTHING = ("purge", "optimize")
"""Tasks that Delta itself leaves undone where there is nothing to do, without a commit; also after a kill between two of them."""

_KEPT_BY_CATALOG = "DELTA_UNSUPPORTED_CATALOG_MANAGED_TABLE_OPERATION"


@dataclass(frozen=True)
class Done:
    """What became of one task."""

    task: Task
    count: int | None = None
    """How many rows, files or runs went, or would go; None where nobody counts them."""
    error: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """Return it as plain values."""
        task = asdict(self.task)
        return {name: task[name] for name in ("table", "kind", "because")} | {"count": self.count, "error": self.error}


def maintain(
    lakehouse: Lakehouse,
    only: Sequence[str],
    now: datetime,
    *,
    dry_run: bool = False,
    progress: Callable[[Done], None] = lambda _: None,
) -> list[Done]:
    """Look after tables and the run log, and return what was done; with `dry_run` what would be, and nothing is touched.

    Raises:
        CannotRunError: there is no such table, or another run is at work.
    """
    for name in only:
        if name not in lakehouse.project.tables:
            raise CannotRunError(f'There is no table "{name}".', did_you_mean(name, lakehouse.project.tables))
    spark = start_session(lakehouse.environment.spark)
    tables = lakehouse.tables(spark)
    lakehouse.state.prepare()
    found: list[Done] = []
    with locked(lakehouse.state.folder, "maintain", now.isoformat()):
        for name in only or lakehouse.project.tables:
            found += _of_table(lakehouse, tables, name, now, progress, dry_run=dry_run)
        if not only:
            found += _of_runs(lakehouse, tables, now, progress, dry_run=dry_run)
    return found


def _of_table(  # noqa: PLR0913 - what it depends on
    lakehouse: Lakehouse, tables: Tables, name: str, now: datetime, progress: Callable[[Done], None], *, dry_run: bool
) -> Iterator[Done]:
    """Look after a table and its quarantine, and remember that both hold what they held, but for the rows that went."""
    table, beside = lakehouse.project.tables[name], name + _QUARANTINE
    days = table.retention.time_travel.days if table.retention and table.retention.time_travel else None
    versions = {one: version for one in (name, beside) if (version := tables.version(one)) is not None}
    gone = 0
    for one in versions:
        stored = tables.stored(one)
        tasks = tasks_of(table, stored, now) if one == name else file_tasks(one, stored, days)
        for done in _carried_out(tables, tasks, progress, dry_run=dry_run):
            gone += (done.count or 0) if done.task.kind == "rows" and not done.error else 0
            yield done
    if not dry_run:
        _remember(lakehouse, name, versions, {one: tables.version(one) or 0 for one in versions}, gone)


def _remember(lakehouse: Lakehouse, name: str, before: Mapping[str, int], after: Mapping[str, int], gone: int) -> None:
    """Let what is known of a table's version hold for the one that it has now."""
    built, checked = lakehouse.state.built(name), lakehouse.state.checked(name)
    if built and built.version == before.get(name):
        built = replace(built, version=after[name], rows=max(built.rows - gone, 0))
    if built and built.quarantine_version == before.get(name + _QUARANTINE):
        built = replace(built, quarantine_version=after[name + _QUARANTINE])
    if built:
        lakehouse.state.write_built(name, built)
    if checked and not gone and checked.version == before.get(name):
        lakehouse.state.write_checked(name, replace(checked, version=after[name]))


def _carried_out(tables: Tables, tasks: Sequence[Task], progress: Callable[[Done], None], *, dry_run: bool) -> Iterator[Done]:
    """Do one task after the other; what one cannot do is told, and the next is tried."""
    for task in tasks:
        try:
            count = _count(tables, task)
            if count == 0 or (dry_run and task.kind == "purge"):
                continue
            if not dry_run and task.statement:
                before = tables.version(task.table)
                tables.carry_out(task.table, task.statement)
                if task.kind in _MAY_FIND_NOTHING and tables.version(task.table) == before:
                    continue
            done = Done(task, count)
        except Exception as error:  # noqa: BLE001 - whatever Spark raises here: the other tasks are done, and this one is told
            done = Done(task, error=str(error).strip().split("\n", maxsplit=1)[0])
            if _KEPT_BY_CATALOG in done.error:
                done = Done(Task(task.table, "left", "the catalog itself puts its files together and removes old ones"))
        progress(done)
        yield done
        if done.task.kind == "left":
            return


def _count(tables: Tables, task: Task) -> int | None:
    """Return how many rows or files a task would remove."""
    if task.kind == "rows":
        return tables.read(task.table).where(task.where).count()
    if task.kind == "vacuum":
        return tables.old_files(task.table)
    return None


def _of_runs(lakehouse: Lakehouse, tables: Tables, now: datetime, progress: Callable[[Done], None], *, dry_run: bool) -> Iterator[Done]:
    """Remove the runs that are past their days, from the tables of runs first."""
    days = lakehouse.environment.run_days
    oldest = now - timedelta(days=days)
    where = f"started < TIMESTAMP{literal(oldest.isoformat())}"
    for name in SCHEMAS:
        if tables.version(name) is not None:
            because = f"runs are kept {days} days: those before {oldest:%Y-%m-%d} go"
            rows = Task(name, "rows", because, f"DELETE FROM {{table}} WHERE {where}", where)  # noqa: S608 - a time, quoted above
            yield from _carried_out(tables, [rows, *file_tasks(name, tables.stored(name), None)], progress, dry_run=dry_run)
    old = lakehouse.state.runs_older_than(oldest.isoformat())
    if old:
        if not dry_run:
            lakehouse.state.forget_runs(old)
        done = Done(Task("", "runs", f"the run log keeps {days} days"), len(old))
        progress(done)
        yield done
