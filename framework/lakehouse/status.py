"""How do things stand? All of it is read from what the engine remembers, without Spark where tables are folders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from framework.lakehouse.lock import holder
from framework.plan.build import is_current
from framework.plan.explain import explained
from framework.spec.quality import LineRule, age_allowed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.lakehouse.lakehouse import Lakehouse


@dataclass(frozen=True)
class Stale:
    """A table that is older than a check of its contract allows; `age` in whole seconds."""

    table: str
    check: str
    age: timedelta


@dataclass(frozen=True)
class Standing:
    """The last runs, the newest first; what is running, what fails its checks, what is stale, quarantined, or waits for a run."""

    runs: list[dict[str, Any]]
    running: str
    failing: dict[str, tuple[str, ...]]
    stale: list[Stale]
    quarantined: dict[str, tuple[int, dict[str, int]]]
    waiting: list[tuple[str, str, str]]


def standing(lakehouse: Lakehouse, now: datetime) -> Standing:
    """Return how things stand."""
    state, names = lakehouse.state, lakehouse.project.contracts
    built = {name: one for name in names if (one := state.built(name))}
    return Standing(
        state.runs(),
        holder(state.folder),
        dict(_failing(lakehouse)),
        list(stale_tables(lakehouse, now)),
        {name: (one.quarantined, one.by_rule) for name, one in built.items() if one.quarantined},
        [one for one in explained(lakehouse.plan("all")) if one[1] != "keep"],
    )


def _failing(lakehouse: Lakehouse) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield tables with the checks that they failed when they were last looked at."""
    for name, table in lakehouse.project.tables.items():
        checked = lakehouse.state.checked(name)
        if checked and checked.failed and is_current(checked, table, checked.version):
            yield name, checked.failed


def stale_tables(lakehouse: Lakehouse, now: datetime) -> Iterator[Stale]:
    """Yield tables whose newest row has become older, since it was looked at, than it may be."""
    for name, table in lakehouse.project.tables.items():
        checked = lakehouse.state.checked(name)
        if checked is None or not checked.at:
            continue
        for rule in table.quality:
            most = age_allowed(rule.check) if isinstance(rule, LineRule) else None
            if most is not None and rule.title in checked.values:
                age = timedelta(milliseconds=checked.values[rule.title]) + (now - datetime.fromisoformat(checked.at))
                if age > most:
                    yield Stale(name, rule.title, timedelta(seconds=round(age.total_seconds())))
