"""What is there to say of a run?

All of it comes from the run log and from the contracts; only samples of refused rows need Spark.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from framework.lakehouse.quarantine import causes
from framework.lakehouse.status import stale_tables
from framework.plan.alerts import alerts_of
from framework.spec.problem import CannotRunError, did_you_mean
from framework.spec.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.lakehouse.quarantine import Cause
    from framework.plan.alerts import Alert
    from framework.spec.project import Project

Record = dict[str, Any]
Verdict = Literal["good", "care", "old", "bad"]
"""Whether a table may be used: yes; yes, but something was refused or warned; it is as it was before; it fails its checks."""

HISTORY = 30
"""How many earlier runs a check is shown with."""


@dataclass(frozen=True)
class Note:
    """Something that somebody should look at."""

    gravity: Literal["error", "warning"]
    table: str
    title: str
    text: str
    fix: str = ""


@dataclass(frozen=True)
class Broken:
    """A rule that rows broke in the run: what it means, what happened to them, and what was refused looks like now."""

    rule: str
    message: str
    otherwise: str
    rows: int
    cause: Cause | None = None


@dataclass(frozen=True)
class Moment:
    """What a check measured in a run."""

    run_id: str
    value: float
    outcome: str


@dataclass(frozen=True)
class CheckFacts:
    """One check on a whole table, and what it measured before."""

    record: Record
    history: list[Moment]


@dataclass(frozen=True)
class TableFacts:
    """What became of a table; `record` is what the run log keeps of it."""

    name: str
    layer: str
    owner: str
    description: str
    verdict: Verdict
    record: Record
    broken: list[Broken] = field(default_factory=list)
    checks: list[CheckFacts] = field(default_factory=list)
    change: list[str] = field(default_factory=list)
    """How its contract differs from the one of its last run before: lines of a unified diff."""

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing happened to it that is worth a look."""
        return self.record["outcome"] == "unchanged" and self.verdict == "good" and not self.checks and not self.change


@dataclass(frozen=True)
class RunFacts:
    """All that there is to say of a run; `record` is what the run log keeps of it."""

    project: str
    record: Record
    previous: str
    tables: list[TableFacts]
    notes: list[Note]
    edges: list[tuple[str, str]]
    """Which table of the run is made of which."""
    made: str
    shown_to: str
    has_samples: bool

    @property
    def by_verdict(self) -> dict[Verdict, list[TableFacts]]:
        """Return the tables by whether they may be used, the worst first."""
        order: tuple[Verdict, ...] = ("bad", "old", "care", "good")
        return {verdict: [one for one in self.tables if one.verdict == verdict] for verdict in order}

    @property
    def arrived(self) -> int:
        """Return how many rows were loaded from files."""
        return sum(file["rows"] for one in self.tables for file in one.record["files"])

    @property
    def refused(self) -> int:
        """Return how many rows went into quarantine."""
        return sum(one.record["quarantined"] for one in self.tables)

    @property
    def checks(self) -> tuple[int, int]:
        """Return how many checks on whole tables passed, and of how many."""
        outcomes = [check.record["outcome"] for one in self.tables for check in one.checks]
        return outcomes.count("pass"), len(outcomes)


def facts_of(lakehouse: Lakehouse, run_id: str | None, now: datetime, *, principal: str | None = None, samples: int = 3) -> RunFacts:
    """Return what there is to say of a run, of the last one unless said; with no `samples` no Spark is started.

    Raises:
        CannotRunError: there is no such run or principal.
    """
    record, earlier = _found(lakehouse, run_id)
    project = lakehouse.project
    known = [one for one in record["tables"] if one["table"] in project.contracts]
    is_last = lakehouse.state.run_ids()[0] == record["run_id"]
    stale = [(one.table, one.check, one.age) for one in stale_tables(lakehouse, now)] if is_last else []
    refusing = [one["table"] for one in known if one["quarantined"]] if samples else []
    found = {name: {cause.rule: cause for cause in causes(lakehouse, name, principal=principal, samples=samples)} for name in refusing}
    tables = [_table(one, project, earlier, found.get(one["table"], {}), lakehouse) for one in known]
    names = {one.name for one in tables}
    edges = [(other, name) for name in names for other in project.facts[name].inputs if other in names]
    return RunFacts(
        project.root.absolute().name,
        record,
        earlier[0]["run_id"] if earlier else "",
        tables,
        [*_notes(record, alerts_of(record, stale, project))],
        sorted(edges),
        now.isoformat(timespec="seconds"),
        principal or "",
        bool(samples),
    )


def _found(lakehouse: Lakehouse, run_id: str | None) -> tuple[Record, list[Record]]:
    """Return a run's record, and those before it, the newest first."""
    known = lakehouse.state.run_ids()
    if not known:
        raise CannotRunError("There was no run yet.", "`lakepact run all` first.")
    record = lakehouse.state.run(run_id or known[0])
    if record is None:
        raise CannotRunError(f'There is no run "{run_id}".', did_you_mean(run_id or "", known))
    return record, lakehouse.state.runs_before(record["run_id"], HISTORY)


def _table(one: Record, project: Project, earlier: list[Record], found: Mapping[str, Cause], lakehouse: Lakehouse) -> TableFacts:
    table = project.tables[one["table"]]
    rules = {rule.name: rule for rule in rules_of(table)}
    broken = [
        Broken(name, rules[name].message if name in rules else "", str(told["otherwise"]), int(told["rows"]), found.get(name))
        for name, told in one["rules"].items()
    ]
    before = [past for run in earlier for past in run["tables"] if past["table"] == one["table"]]
    checks = [CheckFacts(check, _history(check, one["table"], earlier)) for check in one.get("checks", ())]
    return TableFacts(
        table.table, table.layer, table.owner, table.description, _verdict(one), one, broken, checks, _change(one, before, lakehouse)
    )


def _verdict(one: Record) -> Verdict:
    checks = [check["outcome"] for check in one.get("checks", ())]
    if one.get("failing"):
        return "bad"
    if one["outcome"] in {"failed", "skipped"}:
        return "old"
    is_whole = not one["quarantined"] and not any(file["refused"] for file in one["files"])
    return "good" if is_whole and all(outcome == "pass" for outcome in checks) else "care"


def _history(check: Record, table: str, earlier: Iterable[Record]) -> list[Moment]:
    """Return what a check measured, from the first to the last time."""
    past = [
        Moment(run["run_id"], old["value"], old["outcome"])
        for run in earlier
        for one in run["tables"]
        if one["table"] == table
        for old in one.get("checks", ())
        if old["check"] == check["check"] and old["value"] is not None
    ]
    now = [Moment("", check["value"], check["outcome"])] if check["value"] is not None else []
    return [*reversed(past), *now]


def _change(one: Record, before: list[Record], lakehouse: Lakehouse) -> list[str]:
    """Return how a table's contract differs from the one that it was last worked on with."""
    if not before or before[0].get("contract", "") == one.get("contract", ""):
        return []
    old, new = (lakehouse.state.contract_text(str(each.get("contract", ""))) for each in (before[0], one))
    if old is None or new is None:
        return []
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "then", "now", lineterm="", n=2)
    return [*lines][2:]


_RANKS = ("failed", "check_failed", "refused", "skipped", "quarantine", "check_warned", "stale", "file")


def _notes(record: Record, alerts: Iterable[Alert]) -> Iterator[Note]:
    """Yield what somebody should look at, the gravest first."""
    fixes = {file["name"]: file["fix"] or "" for one in record["tables"] for file in one["files"] if file["refused"]}
    ranked: list[tuple[int, Note]] = []
    for alert in alerts:
        fix = _FIXES.get(alert.kind, "")
        if alert.kind == "refused":
            fix = next((told for name, told in fixes.items() if alert.title == f"{name} was refused"), "")
        ranked.append(
            (_RANKS.index(alert.kind), Note("error" if alert.severity == "error" else "warning", alert.table, alert.title, alert.text, fix))
        )
    for one in record["tables"]:
        if one["outcome"] == "skipped":
            ranked.append((_RANKS.index("skipped"), Note("error", one["table"], f"{one['table']} was left as it is", one["reason"])))
        ranked += [(_RANKS.index("file"), note) for note in _of_files(one)]
    for name in record["unclaimed"]:
        fix = "let a contract's `files: pattern` match it, or take it out of the folder."
        ranked.append((_RANKS.index("file"), Note("warning", "", f"{name} was not read", "No contract's pattern matches it.", fix)))
    yield from (note for _, note in sorted(ranked, key=lambda one: one[0]))


_FIXES = {
    "check_failed": "mend the data or the check; tables of later layers wait until then.",
}


def _of_files(one: Record) -> Iterator[Note]:
    for file in one["files"]:
        if file["ragged"]:
            text = f"{file['ragged']:,} of {file['rows']:,} rows have too few or too many fields."
            yield Note("warning", one["table"], f"{file['name']} is ragged", text)
        for told in file["drift"]:
            yield Note("warning", one["table"], f"{file['name']} is not as the contract says", told)
    if one["shifted"]:
        text = f"{one['shifted']:,} rows have several values that cannot be read; their fields may be shifted."
        yield Note("warning", one["table"], f"{one['table']} may have shifted rows", text)
