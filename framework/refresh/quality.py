"""What do the checks on whole tables say, after their layer was written? One scan for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from framework.lakehouse.soda import is_installed, scan
from framework.plan.sodacl import asks_of, change_of, document, holds
from framework.plan.steps import Checked
from framework.spec.examine.around import outline_of
from framework.spec.examine.quality import asked_of
from framework.spec.quality import checks_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from framework.lakehouse.soda import Scanned
    from framework.plan.sodacl import Ask
    from framework.refresh.place import Place

NOT_MADE = "Soda is not installed here: pip install 'lakepact[quality]'"


@dataclass(frozen=True)
class CheckReport:
    """What became of one check on a table.

    `outcome` is `pass`, `warn`, `fail`, `error` where it could not be evaluated, or `not made` where Soda is not installed.
    """

    check: str
    otherwise: str
    outcome: str
    value: float | None = None
    """What was measured; of an age, seconds."""
    note: str = ""

    @property
    def is_failure(self) -> bool:
        """Tell whether nothing may be made of the table."""
        return self.outcome == "fail" or (self.outcome == "error" and self.otherwise == "fail")


def check(place: Place, names: Sequence[str], now: datetime) -> dict[str, list[CheckReport]]:
    """Make the checks of some tables in one scan, remember what they said, and return it."""
    tables = [place.project.tables[name] for name in names]
    if not is_installed():
        return {
            table.table: [CheckReport(rule.title, rule.otherwise, "not made", note=NOT_MADE) for rule in table.quality] for table in tables
        }
    read = list(dict.fromkeys([*names, *sorted({other for table in tables for rule in table.quality for other in asked_of(rule)})]))
    read = [name for name in read if place.tables.version(name) is not None]
    views = {name: f"lakepact_{i}" for i, name in enumerate(read)}
    types = {name: outline_of(place.project.tables[name]).columns for name in names}
    asks = asks_of(tables, views, types)
    rows = {name: place.tables.read(name) for name in read}
    # The contract's own SQL calls tables by their names, all others by names that need no quoting.
    scanned = scan(place.spark, document(asks, views), rows | {view: rows[name] for name, view in views.items()}, now)
    reports: dict[str, list[CheckReport]] = {}
    for name in names:
        before = place.state.checked(name)
        own = [ask for ask in asks if ask.table == name]
        reports[name] = [_report(ask, scanned, before) for ask in own]
        _remember(
            place, name, reports[name], {ask.title: scanned.verdicts[ask.name].value for ask in own if ask.name in scanned.verdicts}, now
        )
    return reports


def _report(ask: Ask, scanned: Scanned, before: Checked | None) -> CheckReport:
    found = scanned.verdicts.get(ask.name)
    if found is None:
        errors = [error for error in scanned.errors if ask.name in error or ask.title in error] or scanned.errors
        return CheckReport(ask.title, ask.otherwise, "error", note="; ".join(errors[:2]) or "Soda gave no verdict")
    outcome, value, note = found.outcome, found.value, ""
    if ask.change:
        earlier = before.values.get(ask.title) if before else None
        change = change_of(ask.change, value, earlier) if earlier is not None and value is not None else None
        if change is None:
            outcome, value, note = "pass", None, "there is no earlier value that it could be held against"
        else:
            outcome, value, note = "pass" if holds(ask.change, change) else "fail", change, f"was {earlier:g}, is {value:g}"
    if ask.is_age and value is not None:
        value /= 1000
        note = f"the newest is {timedelta(seconds=round(value))} old"
    if outcome == "fail" and ask.otherwise == "warn":
        outcome = "warn"
    return CheckReport(ask.title, ask.otherwise, outcome, value, note)


def _remember(place: Place, name: str, reports: Sequence[CheckReport], values: dict[str, float | None], now: datetime) -> None:
    key = checks_key(place.project.tables[name].quality)
    failed = tuple(one.check for one in reports if one.is_failure)
    numbers = {title: value for title, value in values.items() if value is not None}
    place.state.write_checked(name, Checked(place.version(name), key, failed, numbers, now.isoformat()))
