"""What is there to tell of the rows of a table that have certain values?"""

from __future__ import annotations

import difflib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from framework.lakehouse.quarantine import cleared
from framework.lakehouse.session import start_session
from framework.lakehouse.tables import Staging
from framework.plan.build import inputs_of
from framework.refresh.place import Place
from framework.spec.problem import CannotRunError, did_you_mean
from framework.spec.table import FileTable, GroupedTable, MappedTable, QueryTable
from framework.why.lives import delivered, lives_of
from framework.why.made_of import gathered, queried
from framework.why.sight import Sight, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.spec.facts import ColumnFacts
    from framework.spec.table import Table
    from framework.why.lives import Life
    from framework.why.made_of import Ingredient
    from framework.why.sight import Shown

_RUNS_LOOKED_AT = 200
MOST_ROWS = 5
"""Rows of the table itself that are told; a key names one."""


@dataclass(frozen=True)
class LastChange:
    """What the last run that wrote the table did to the rows: what they were before, and whether the contract changed."""

    run_id: str
    before: list[Shown]
    contract: list[str]
    """The lines in which the contract differs from the one that the table was made by before."""


@dataclass(frozen=True)
class Use:
    """A table that reads this one: what for, and how to ask on there."""

    table: str
    how: str
    ask: str = ""


@dataclass(frozen=True)
class Story:
    """All that is told of some rows of a table."""

    table: str
    where: dict[str, str | None]
    rows: list[Shown]
    lives: list[Life]
    made_of: list[Ingredient]
    last_change: LastChange | None
    used: list[Use]
    notes: list[str]


def told(lakehouse: Lakehouse, table: str, pairs: Mapping[str, str], *, principal: str | None = None, most: int = 10) -> Story:
    """Return the story of the rows of `table` whose columns have the values of `pairs`; an empty value asks for null.

    Raises:
        CannotRunError: there is no such table, column or principal, a value is not of its column's type, or a column holds
            personal data that the principal may not see.
    """
    project = lakehouse.project
    if table not in project.tables:
        raise CannotRunError(f'There is no table "{table}".', did_you_mean(table, project.tables))
    contract = project.tables[table]
    sight = Sight(project, cleared(project, principal))
    types = _types(project.facts[table].columns.values(), contract)
    _may_ask(sight, contract, pairs, types)
    spark = start_session(lakehouse.environment.spark)
    place = Place(
        project, lakehouse.tables(spark), lakehouse.state, Staging(lakehouse.state.folder / "staging" / "why", spark), spark, "why"
    )
    missing = [name for name in (table, *inputs_of(project, table)) if place.version(name) < 0]
    if missing:
        raise CannotRunError(f"{missing[0]} is not there yet.", "`lakepact run all` first.")
    where = typed(spark, pairs, types)
    before = _before(place, table)
    with ThreadPoolExecutor(3, thread_name_prefix="why") as pool:
        # Each of them waits for Spark most of the time.
        now = pool.submit(lambda: sight.shown(table, place.tables.read(table).where(where), MOST_ROWS, contract.column_names))
        last = pool.submit(lambda: _last_change(place, sight, contract, where, before))
        lives: list[Life] = []
        made_of: list[Ingredient] = []
        match contract:
            case FileTable():
                lives = delivered(place, sight, contract, where, most)
            case MappedTable():
                lives = lives_of(place, sight, contract, pairs, types, most)
            case GroupedTable():
                made_of = gathered(place, sight, contract, where, before.inputs, most)
            case QueryTable():
                made_of = queried(place, sight, contract, pairs, before.inputs, most)
            case _:
                raise NotImplementedError(type(contract).__name__)
        asked = {name: value or None for name, value in pairs.items()}
        return Story(table, asked, now.result(), lives, made_of, last.result(), _uses(place, table, pairs), _notes(place, contract))


def _types(columns: Iterable[ColumnFacts], contract: Table) -> dict[str, str]:
    """Return the types of the columns that may be asked for."""
    return dict.fromkeys(contract.column_names, "string") | {one.name: one.type for one in columns}


def _may_ask(sight: Sight, contract: Table, pairs: Mapping[str, str], types: Mapping[str, str]) -> None:
    key = sorted(contract.unique_key)
    if not pairs:
        known = f"such as {' '.join(f'{name}=…' for name in key)}." if key else f"with one of: {', '.join(contract.column_names)}."
        raise CannotRunError("Nothing says which row is meant.", f"name it, {known}")
    for name in pairs:
        if name not in types:
            raise CannotRunError(f'{contract.table} has no column "{name}".', did_you_mean(name, types))
        if "<" in types[name]:
            raise CannotRunError(
                f"{name} is {types[name].partition('<')[0]}; one value cannot be compared with it.", "name another column."
            )
        if isinstance(contract, GroupedTable) and name not in contract.group_by:
            raise CannotRunError(f"{name} names no group of {contract.table}.", f"name groups by {', '.join(contract.group_by)}.")
        if sight.is_hidden(contract.table, name):
            # To be told that a row is there is to be told that the value is.
            raise CannotRunError(f"{name} holds personal data.", "name a principal who is cleared for it with --as, or another column.")


def _notes(place: Place, contract: Table) -> list[str]:
    built = place.state.built(contract.table)
    notes = []
    if built and built.contract_hash != place.project.contract_hash(contract.table):
        notes.append("The contract has changed since the table was last written; what follows is told as it says now.")
    inputs = {} if isinstance(contract, FileTable) or built is None else built.inputs
    behind = [name for name, version in inputs.items() if place.version(name) != version]
    if behind:
        notes.append(f"{', '.join(behind)} changed since the table was last written; `lakepact run all` brings it up to date.")
    return notes


@dataclass(frozen=True)
class _Before:
    """How a table was before the last run that wrote it: its version and those of its inputs; none where there was no such run."""

    run_id: str = ""
    version: int = -1
    inputs: dict[str, int] = field(default_factory=dict)
    contracts: tuple[str, str] = ("", "")


def _before(place: Place, table: str) -> _Before:
    done: list[tuple[str, dict[str, Any]]] = []
    for run in place.state.runs(_RUNS_LOOKED_AT):
        done += [
            (run["run_id"], one)
            for one in run["tables"]
            if one["table"] == table and one["outcome"] == "done" and one["version"] is not None
        ]
        if len(done) > 1:
            (run_id, last), (_, before) = done[:2]
            return _Before(run_id, before["version"], before["inputs"], (str(before.get("contract", "")), str(last.get("contract", ""))))
    return _Before()


def _last_change(place: Place, sight: Sight, contract: Table, where: str, before: _Before) -> LastChange | None:
    """Return what the last run that wrote the table did to some rows."""
    if not before.run_id:
        return None
    try:
        then = place.tables.read(contract.table, before.version).where(where)
        rows = sight.shown(contract.table, then, MOST_ROWS, contract.column_names)
    except Exception:  # noqa: BLE001 - Spark's own; a version that was vacuumed, or had no such column, tells nothing
        return None
    old, new = (place.state.contract_text(name) or "" for name in before.contracts)
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "then", "now", lineterm="", n=1) if old and new else []
    return LastChange(before.run_id, rows, [*lines][2:])


def _uses(place: Place, table: str, pairs: Mapping[str, str]) -> list[Use]:
    """Return the tables that read this one; with the question to ask there, where they have columns that are these."""
    project, found = place.project, []
    for name, other in project.tables.items():
        if table not in other.inputs:
            continue
        same = {
            column.name: pairs[asked]
            for column in project.facts[name].columns.values()
            for origin in column.origins
            for asked in pairs
            if origin.table == table and origin.column == asked.lower() and origin.how == "same"
        }
        words = " ".join(f"{column}={value}" for column, value in same.items())
        found.append(Use(name, other.inputs[table], f"lakepact why {name} {words}" if same else ""))
    return found
