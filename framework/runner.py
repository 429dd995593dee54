"""How is a plan carried out? One loop over its steps, tables in parallel where the graph allows."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

from framework.lakehouse.alerting import Told, tell
from framework.lakehouse.faults import tried
from framework.lakehouse.landing import is_as_listed, unclaimed_files
from framework.lakehouse.lock import locked
from framework.lakehouse.openlineage import Unsent, send_events
from framework.lakehouse.read import empty_rows, read_files
from framework.lakehouse.run_tables import record_runs
from framework.lakehouse.session import start_session
from framework.lakehouse.tables import Staging, Tables, app_of, clear_staging
from framework.plan.build import inputs_of, is_current, selected_tables
from framework.plan.drift import drift
from framework.plan.steps import (
    AddColumns,
    Built,
    CheckTable,
    CloseLoad,
    CreateTable,
    FinishLoad,
    KeepTable,
    Load,
    LoadFiles,
    RefreshTable,
    RefuseFile,
    ReplayLoad,
    TakeBackLoad,
)
from framework.refresh import refresh
from framework.refresh.place import Place
from framework.refresh.quality import CheckReport, check
from framework.spec.metadata import Catalog
from framework.spec.names import literal
from framework.spec.problem import LakepactError, RunError
from framework.spec.rules import rules_of
from framework.spec.table import MENDED, ROW_PLACE, FileTable, MappedTable
from framework.transforms.files import counts_by_file, gathered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pyspark.sql import SparkSession

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.plan.steps import DeliveredFile, Plan, Step
    from framework.spec.project import Project
    from framework.spec.table import Table
    from framework.transforms.rows import Counts

Outcome = Literal["done", "unchanged", "failed", "skipped"]
WORKERS = 3
"""Tables worked on at once: one more than the cores of a small machine, to fill its waits for storage."""


@dataclass(frozen=True)
class FileReport:
    """What became of one delivered file."""

    name: str
    rows: int = 0
    ragged: int = 0
    drift: list[str] = field(default_factory=list)
    refused: str | None = None
    fix: str | None = None


@dataclass(frozen=True)
class TableReport:
    """What became of one table in a run."""

    table: str
    outcome: Outcome
    reason: str
    read: int = 0
    kept: int = 0
    duplicate: int = 0
    quarantined: int = 0
    dropped: int = 0
    grouped: int | None = None
    shifted: int = 0
    rules: dict[str, dict[str, int | str]] = field(default_factory=dict)
    files: list[FileReport] = field(default_factory=list)
    checks: list[CheckReport] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    """The checks that it fails, of this run or an earlier one: it is written, but nothing may be made of it."""
    inputs: dict[str, int] = field(default_factory=dict)
    how: str = ""
    version: int | None = None
    contract_hash: str = ""
    contract: str = ""
    """Under which name the contract's text was kept, as it was then."""
    began: float = 0.0
    """Seconds from the run's beginning to the table's."""
    seconds: float = 0.0


@dataclass(frozen=True)
class RunReport:
    """What a run did; `record` is what the run log keeps."""

    run_id: str
    started: str
    environment: str
    layer: str
    seconds: float
    tables: list[TableReport]
    unclaimed: list[str] = field(default_factory=list)
    checking_seconds: float = 0.0
    unrecorded: str = ""
    """Why the tables of runs could not be written; the next run writes what they lack."""
    told: list[Told] = field(default_factory=list)
    """Who was told what of it."""
    unsent: list[Unsent] = field(default_factory=list)
    """Who could not be sent its events."""

    @property
    def is_well(self) -> bool:
        """Tell whether every table was finished and every file taken."""
        return all(one.outcome in {"done", "unchanged"} and not any(file.refused for file in one.files) for one in self.tables)

    @property
    def record(self) -> dict[str, object]:
        """Return the report as plain values."""
        return {name: value for name, value in asdict(self).items() if name not in {"unrecorded", "told", "unsent"}} | {
            "outcome": "done" if self.is_well else "failed"
        }


def run(  # noqa: PLR0913 - what a run depends on
    lakehouse: Lakehouse,
    layer: str,
    only: Sequence[str] = (),
    *,
    rebuild: Sequence[str] = (),
    replay: str = "",
    allow_destructive: bool = False,
    progress: Callable[[TableReport | str], None] = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> RunReport:
    """Carry out the plan and return what was done; a table's failure stops only what reads it.

    Tables in `rebuild` are made anew, whatever is there; the files of load `replay` are read again.

    Raises:
        CannotRunError: the run could not begin.
    """
    started, clock = now(), time.monotonic()
    run_id = f"{started:%Y%m%dT%H%M%S}{started.microsecond // 1000:03d}Z-{secrets.token_hex(2)}"
    # A wrong layer or landing folder is told before a place is made for what the engine remembers.
    selected_tables(lakehouse.project, layer, only)
    lakehouse.state.prepare()
    with locked(lakehouse.state.folder, run_id, started.isoformat()):
        plan = lakehouse.plan(layer, only, rebuild, replay)
        clear_staging(lakehouse.state.folder / "staging")
        work = _Run(lakehouse, plan, run_id, started, progress, allow_destructive=allow_destructive)
        reports = work.execute()
        file_tables = [table for table in lakehouse.project.tables.values() if isinstance(table, FileTable)]
        unclaimed = unclaimed_files(lakehouse.entries(work.spark), file_tables) if lakehouse.landing.is_dir() else []
        seconds, checking = round(time.monotonic() - clock, 3), round(work.checking_seconds, 3)
        report = RunReport(run_id, started.isoformat(), lakehouse.name, layer, seconds, reports, unclaimed, checking)
        lakehouse.state.write_run(run_id, report.record)
        if work.spark is not None and lakehouse.environment.run_tables:
            report = replace(report, unrecorded=_recorded(work.spark, lakehouse))
        unsent = send_events(lakehouse)
    return replace(report, told=tell(lakehouse, report.record, started), unsent=unsent)


def _recorded(spark: SparkSession, lakehouse: Lakehouse) -> str:
    """Append the run to the tables of runs; return why that could not be done."""
    try:
        record_runs(spark, lakehouse.tables(spark), lakehouse.state)
    except Exception as error:  # noqa: BLE001 - the run itself is done; whatever Spark raises here, the next run makes good
        return _first_line(error)
    return ""


class _Run:
    """One run: the loop over the plan, and what each step does."""

    def __init__(  # noqa: PLR0913 - what a run depends on
        self,
        lakehouse: Lakehouse,
        plan: Plan,
        run_id: str,
        started: datetime,
        progress: Callable[[TableReport | str], None],
        *,
        allow_destructive: bool,
    ) -> None:
        self.allow_destructive = allow_destructive
        self.lakehouse, self.plan, self.run_id, self.started, self.progress = lakehouse, plan, run_id, started, progress
        self.project, self.state = lakehouse.project, lakehouse.state
        self.spark: SparkSession | None = None
        self.tables = lakehouse.tables(None)
        self.reports: dict[str, TableReport] = {}
        self.clock = time.monotonic()
        self.checking_seconds = 0.0

    def execute(self) -> list[TableReport]:
        """Work through all tables and return their reports in the plan's order."""
        if not self.plan.is_empty or isinstance(self.lakehouse.environment, Catalog):
            self.spark = start_session(self.lakehouse.environment.spark, input_bytes=self._input_bytes())
            self.tables = self.lakehouse.tables(self.spark)
        for names in self._stages():
            self._work_through(names)
            self._check(names)
        if self.spark is not None:
            Staging(self._staging_folder(), self.spark).clear()
        return [self.reports[name] for name in self.plan.steps]

    def _stages(self) -> list[list[str]]:
        """Return the plan's tables in groups: after each, its checks are made in one scan, before anything is made of it."""
        stages: list[list[str]] = [[]]
        for layer in self.project.layers:
            names = [name for name in self.plan.steps if self.project.tables[name].layer == layer]
            stages[-1] += names
            if any(isinstance(step, CheckTable) for name in names for step in self.plan.steps[name]):
                stages.append([])
        return stages

    def _work_through(self, names: Sequence[str]) -> None:
        """Work on tables, several at once, each after what it reads."""
        waiting = {name: self.plan.after[name] for name in names}
        running: dict[Future[TableReport], str] = {}
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="table") as pool:
            while waiting or running:
                for name in [name for name, after in waiting.items() if after <= self.reports.keys()]:
                    bad = self._hindrances(name)
                    waiting.pop(name)
                    if bad:
                        self._finish(TableReport(name, "skipped", "; ".join(bad)))
                    else:
                        self.progress(name)
                        running[pool.submit(self._table, name)] = name
                done, _ = wait(running, return_when=FIRST_COMPLETED) if running else (set(), set())
                for future in done:
                    running.pop(future)
                    self._finish(future.result())

    def _hindrances(self, name: str) -> list[str]:
        """Return why a table cannot be worked on: what it reads was not finished, or fails its checks."""
        found = []
        for one in inputs_of(self.project, name):
            report = self.reports.get(one)
            if report and any(check.is_failure for check in report.checks):
                found.append(f"{one} fails its checks")
            elif report and report.outcome in {"failed", "skipped"}:
                found.append(f"{one} could not be finished")
            elif self._still_fails(one):
                found.append(f"{one} fails its checks")
        return found

    def _still_fails(self, name: str) -> tuple[str, ...]:
        """Return the checks that a table failed earlier, where neither it nor they have changed since."""
        checked = self.state.checked(name)
        if checked is None or not is_current(checked, self.project.tables[name], self.tables.version(name)):
            return ()
        return checked.failed

    def _check(self, names: Sequence[str]) -> None:
        """Make the checks of a stage's tables, and tell which of them fail."""
        asked = [name for name in names if any(isinstance(step, CheckTable) for step in self.plan.steps[name])]
        asked = [name for name in asked if self.reports[name].outcome in {"done", "unchanged"}]
        asked = [name for name in asked if not is_current(self.state.checked(name), self.project.tables[name], self.tables.version(name))]
        clock = time.monotonic()
        reports = check(self._place(), asked, self.started) if asked else {}
        self.checking_seconds += time.monotonic() - clock
        for name in names:
            report = self.reports[name]
            failed = [f"{one.check}{_valued(one)}" for one in reports.get(name, ()) if one.is_failure]
            if name not in reports and report.outcome in {"done", "unchanged"}:
                failed = [*self._still_fails(name)]
            if name in reports or failed:
                reason = f"it is written, but fails its checks, so nothing is made of it: {'; '.join(failed)}"
                told = {"outcome": "failed", "reason": reason, "failing": failed} if failed else {}
                self.reports[name] = replace(report, checks=reports.get(name, []), **told)  # type: ignore[arg-type]

    def _place(self) -> Place:
        spark = self._session()
        return Place(self.project, self.tables, self.state, Staging(self._staging_folder(), spark), spark, self.run_id)

    def _input_bytes(self) -> int:
        """Return the size of all files ever delivered: silver and gold are worked out from the whole of them."""
        new = [file for steps in self.plan.steps.values() for step in steps if isinstance(step, LoadFiles) for file in step.files]
        tables = [name for name, table in self.project.tables.items() if isinstance(table, FileTable)]
        old = [file for name in tables for load in self.state.loads(name) for file in load.files]
        return sum(file.size for file in (*new, *old))

    def _finish(self, report: TableReport) -> None:
        text = self.project.contracts[report.table].document.text
        report = replace(report, contract=self.state.keep_contract(text))
        self.reports[report.table] = report
        self.progress(report)

    def _staging_folder(self) -> Path:
        return self.state.folder / "staging" / self.run_id

    def _table(self, name: str) -> TableReport:
        """Return the report of one table; what goes wrong is told there."""
        clock = time.monotonic()
        began = round(clock - self.clock, 3)
        report = TableReport(name, "unchanged", "", contract_hash=self.project.contract_hash(name), began=began)
        for step in self.plan.steps[name]:
            try:
                report = self._carried_out(step, report)
            except LakepactError as error:
                report = replace(report, outcome="failed", reason=str(error))
            except Exception as error:  # noqa: BLE001 - whatever Spark raises, the other tables go on, and the report says it
                report = replace(report, outcome="failed", reason=_first_line(error))
            if report.outcome == "failed":
                break
        return replace(report, seconds=round(time.monotonic() - clock, 3), version=self.tables.version(name) if self.spark else None)

    def _carried_out(self, step: Step, report: TableReport) -> TableReport:
        match step:
            case KeepTable():
                return replace(report, reason=report.reason or step.because)
            case CheckTable():
                return report  # made for all tables of a layer at once
            case RefuseFile():
                refused = FileReport(step.file.name, refused=step.file.why, fix=step.file.fix)
                return replace(report, files=[*report.files, refused], reason="a file was refused")
            case RefreshTable():
                return self._refresh(step, report)
            case LoadFiles():
                return self._load_files(step, report)
            case FinishLoad() | ReplayLoad():
                return self._append(step.load, step.because, report, is_replay=isinstance(step, ReplayLoad))
            case _:
                self._settle(step)
                return replace(report, outcome="done", reason=step.because)

    def _settle(self, step: Step) -> None:
        """Carry out a step that reads no rows."""
        match step:
            case CreateTable():
                self.tables.overwrite(step.table, empty_rows(self._session(), self._file_table(step.table)))
                self._write_built(step.table)
            case AddColumns():
                self.tables.append(step.table, empty_rows(self._session(), self._file_table(step.table)))
                self._write_built(step.table)
            case CloseLoad():
                self.state.write_load(step.table, replace(step.load, closed=True))
            case TakeBackLoad():
                self.state.forget_load(step.table, step.load)
            case _:
                raise NotImplementedError(type(step).__name__)

    def _session(self) -> SparkSession:
        if self.spark is None:
            message = "a step needs Spark, but the plan said that nothing changes"
            raise RunError(message)
        return self.spark

    def _load_files(self, step: LoadFiles, report: TableReport) -> TableReport:
        before = self.state.loads(step.table)
        load = Load(
            number=before[-1].number + 1 if before else 1,
            load_id=self.run_id,
            timestamp=self.started.isoformat(),
            files=step.files,
            version_before=_version(self.tables, step.table),
        )
        # Written before the first row: whoever comes after a crash finds the same files under the same number.
        self.state.write_load(step.table, load)
        return self._append(load, step.because, report)

    def _file_table(self, name: str) -> FileTable:
        table = self.project.tables[name]
        if not isinstance(table, FileTable):
            raise RunError(f"{name} reads no files")
        return table

    def _write_built(self, name: str) -> None:
        """Remember which columns a table of files has."""
        names = (*self._file_table(name).column_names, *(self.state.built(name) or Built("", {}, 0)).columns)
        columns = dict.fromkeys(names, "string")
        self.state.write_built(name, Built(self.project.contract_hash(name), {}, _version(self.tables, name), columns=columns))

    def _append(self, load: Load, because: str, report: TableReport, *, is_replay: bool = False) -> TableReport:
        batches = read_files(self._session(), self._file_table(report.table), load)
        rows, metrics = gathered([batch.rows for batch in batches])
        if is_replay:
            where = f"_load_id = {literal(load.load_id)}"
            mended = self.tables.read(report.table).where(f"{where} and startswith(_rescued, '{MENDED}')")
            rows = rows.join(mended, list(ROW_PLACE), "left_anti").unionByName(mended, allowMissingColumns=True)
            tried(lambda: self.tables.replace(report.table, where, rows))
        else:
            tried(lambda: self.tables.append(report.table, rows, once=(app_of(report.table), load.number)))
        self._write_built(report.table)
        counts: dict[str, dict[str, int]] = {}
        for batch, one in zip(batches, metrics, strict=True):
            counts |= counts_by_file(batch.rows) if len(batch.files) > 1 else {batch.files[0].name: one.values()}
        nothing, drifts = {"rows": 0, "ragged": 0}, self._drifts(report.table, load)
        found = [(file.name, counts.get(file.name, nothing)) for file in load.files]
        for file in load.files:
            drifts[file.name] += _faults_of_delivery(file, is_ragged=bool(counts.get(file.name, nothing)["ragged"]))
        files = [FileReport(name, one["rows"], one["ragged"], drifts[name]) for name, one in found]
        total = sum(file.rows for file in files)
        self.state.write_load(report.table, replace(load, closed=True, rows={file.name: file.rows for file in files}))
        return replace(
            report,
            outcome="done",
            reason=because,
            read=report.read + total,
            kept=report.kept + total,
            files=[*report.files, *files],
        )

    def _drifts(self, name: str, load: Load) -> dict[str, list[str]]:
        """Return how each of a load's files differs from its contract, and from the file before."""
        table, found = self._file_table(name), {}
        headers = [file.header for one in self.state.loads(name) if one.number < load.number for file in one.files]
        before = headers[-1] if headers else ()
        for file in load.files:
            found[file.name] = list(drift(table, file.header, before))
            before = file.header
        return found

    def _refresh(self, step: RefreshTable, report: TableReport) -> TableReport:
        name = step.table
        if step.is_destructive and not self.allow_destructive:
            raise RunError(f"{step.because}; who reads the table would lose something. Run with --allow-destructive where it is meant.")
        table = self.project.tables[name]
        found = refresh(self._place(), step, lambda counts: _refusal(counts, _with_counts(report, counts, self.project), table))
        report = replace(report, inputs=found.inputs, how=found.how)
        if found.counts is None:
            return replace(report, reason=found.how)
        report = _with_counts(report, found.counts, self.project)
        if found.refusal:
            return replace(report, outcome="failed", reason=found.refusal)
        return replace(report, outcome="done", reason=step.because)


def _valued(one: CheckReport) -> str:
    """Return what a check found, to stand behind it."""
    told = [*([f"is {one.value:g}"] if one.value is not None else []), *([one.note] if one.note else [])]
    return f" ({', '.join(told)})" if told else ""


def _faults_of_delivery(file: DeliveredFile, *, is_ragged: bool) -> Iterator[str]:
    """Yield what tells that a file was not delivered as a whole."""
    if is_ragged and not file.ends_with_line:
        yield "its last line has no end: it may have been cut off"
    if not is_as_listed(file):
        yield "it changed while it was read; the next run loads it as it is then"


def _version(tables: Tables, name: str) -> int:
    version = tables.version(name)
    return -1 if version is None else version


def _with_counts(report: TableReport, counts: Counts, project: Project) -> TableReport:
    rules = {rule.name: rule for rule in rules_of(project.tables[report.table])}
    told: dict[str, dict[str, int | str]] = {
        name: {"otherwise": rules[name].otherwise, "rows": count} for name, count in counts.by_rule.items()
    }
    return replace(
        report,
        read=counts.read,
        kept=counts.kept,
        duplicate=counts.duplicate,
        quarantined=counts.quarantined,
        dropped=counts.dropped,
        grouped=counts.grouped,
        shifted=counts.shifted,
        rules=told,
    )


def _refusal(counts: Counts, report: TableReport, table: Table) -> str | None:
    """Return why the rows may not be committed; None where they may."""
    fatal = [f"{name} ({told['rows']} rows)" for name, told in report.rules.items() if told["otherwise"] == "fail"]
    if fatal:
        return f"rows break rules that fail the table: {', '.join(fatal)}; the table is as it was before"
    quarantine = table.quarantine if isinstance(table, MappedTable) else None
    if quarantine and quarantine.limit and quarantine.limit.broken_by(counts.quarantined, counts.read):
        return (
            f"{counts.quarantined} of {counts.read} rows would be quarantined, more than the contract allows; the table is as it was before"
        )
    for name, limit in quarantine.by_rule.items() if quarantine else ():
        refused = int(report.rules.get(name, {}).get("rows", 0))
        if limit.broken_by(refused, counts.read):
            return f"{refused} of {counts.read} rows break {name}, more than the contract allows; the table is as it was before"
    if not counts.conserved:
        return (
            f"rows do not add up: {counts.read} read, but {counts.passed} kept + {counts.duplicate} duplicate + {counts.quarantined} "
            f"quarantined + {counts.dropped} dropped = {counts.accounted}; "
            "nothing was committed, the table is as it was before"
        )
    return None


def _first_line(error: Exception) -> str:
    """Return what went wrong in one line; of a Java error the deepest cause, which is the one that says it."""
    java = getattr(error, "java_exception", None)
    while java is not None and java.getCause() is not None:
        java = java.getCause()
    text = str(java.toString() if java is not None else error).strip().splitlines() or [""]
    return text[0] if java is not None else f"{type(error).__name__}: {text[0]}"
