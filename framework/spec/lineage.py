"""Where does each column come from, what is made of it, and who may see personal data because of it?

Works on facts alone, so it is quick and needs no SQL: every contract has said which input columns its own are made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from framework.spec.codes import CODES
from framework.spec.problem import Acceptance, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from framework.spec.facts import ColumnFacts, Facts, Origin, Spot

Column = tuple[str, str]
Trail = tuple[Column, ...]
"""Columns from the first that held something to the one in question."""


@dataclass(frozen=True)
class Step:
    """One column that another is made of: what the one is, what the other, and how."""

    below: Column
    above: Column
    how: str
    by: str


class Lineage:
    """The columns of all tables, and what each is made of."""

    def __init__(self, facts: Mapping[str, Facts]) -> None:
        """Take the facts of all tables."""
        self.facts = facts
        self._taint: dict[Column, dict[str, Trail]] = {}
        self._nulls: dict[Column, bool] = {}

    def column(self, column: Column) -> ColumnFacts | None:
        """Return what is known of a column; None for reference data and for what the engine carries over."""
        facts = self.facts.get(column[0])
        return facts.columns.get(column[1]) if facts else None

    def name(self, column: Column) -> str:
        """Return a column as `table.column`, as it is written."""
        found = self.column(column)
        return f"{column[0]}.{found.name if found else column[1]}"

    def origins(self, column: Column) -> tuple[Origin, ...]:
        """Return the columns that a column is made of directly."""
        found = self.column(column)
        return found.origins if found else ()

    def may_be_null(self, column: Column) -> bool:
        """Tell whether a column may be null, whatever its contract says of it alone."""
        if column not in self._nulls:
            self._nulls[column] = False  # a circle adds nothing
            found = self.column(column)
            if found is not None:
                self._nulls[column] = found.nulls is None or any(self.may_be_null(one) for one in found.nulls if one != column)
        return self._nulls[column]

    def inherited(self, column: Column) -> dict[str, Trail]:
        """Return the classes of personal data among the columns that a column is made of, and the way they took."""
        found: dict[str, Trail] = {}
        for origin in self.origins(column):
            for name, trail in self.taint((origin.table, origin.column)).items():
                if name not in found or len(trail) + 1 < len(found[name]):
                    found[name] = (*trail, column)
        return found

    def taint(self, column: Column) -> dict[str, Trail]:
        """Return the classes of personal data that a column holds, said or not, and the way they took."""
        if column not in self._taint:
            self._taint[column] = {}
            facts = self.column(column)
            if facts is not None:
                inherited = self.inherited(column)
                held = {name: inherited.get(name, (column,)) for name in facts.pii}
                self._taint[column] = {name: trail for name, trail in (inherited | held).items() if name not in facts.declassified}
        return self._taint[column]

    @cached_property
    def _made_of(self) -> dict[Column, list[Step]]:
        found: dict[Column, list[Step]] = {}
        for table, facts in self.facts.items():
            for name, column in facts.columns.items():
                for origin in column.origins:
                    step = Step((table, name), (origin.table, origin.column), origin.how, column.by)
                    found.setdefault(step.above, []).append(step)
        return found

    def steps(self, column: Column, *, up: bool) -> list[Step]:
        """Return the steps from a column to what it is made of, or to what is made of it."""
        if not up:
            return self._made_of.get(column, [])
        found = self.column(column)
        return [Step(column, (o.table, o.column), o.how, found.by) for o in found.origins] if found else []

    def walk(self, columns: Iterable[Column], *, up: bool) -> Iterator[Step]:
        """Yield every step that can be reached, each once, the nearest first."""
        waiting, seen, told = list(columns), set(columns), set()
        while waiting:
            for step in self.steps(waiting.pop(0), up=up):
                if step not in told:
                    told.add(step)
                    yield step
                other = step.above if up else step.below
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)


@dataclass(frozen=True)
class Verdict:
    """What is wrong across contracts, and which warnings are accepted."""

    problems: tuple[Problem, ...]
    accepted: tuple[Acceptance, ...]


def judged(  # noqa: PLR0913, PLR0917 - what is judged together
    facts: Mapping[str, Facts],
    clearances: Mapping[str, Iterable[str]],
    masked: Collection[str],
    patterns: Mapping[str, tuple[list[str], Spot]],
    found: Iterable[Problem],
    root: Path,
) -> Verdict:
    """Return all problems, those of single contracts (`found`) included, less the warnings that a contract accepts."""
    problems = list(found)
    circles = [_problem(root, *one) for one in _circles(facts)]
    problems += circles
    problems += [_problem(root, *one) for one in _overlaps(patterns)]
    if not circles:
        lineage = Lineage(facts)
        for part in (_nulls(lineage), _undeclared(lineage), _by_name(facts), _leaks(lineage, clearances, masked), _unused(facts)):
            problems += [_problem(root, *one) for one in part]
    return _accepted({} if circles else facts, problems, root)


Said = tuple[str, "Spot", str, str, str, str]
"""Code, place, what, fix, table and column of a problem."""


def _problem(root: Path, code: str, spot: Spot, what: str, fix: str, table: str, column: str = "") -> Problem:  # noqa: PLR0913, PLR0917
    return Problem(placed(root, spot), code, what, CODES[code].why, fix, table, column)


def placed(root: Path, spot: Spot) -> Place:
    """Return a place as it is printed."""
    return Place(root / spot.path, spot.line, spot.column, spot.length)


def _circles(facts: Mapping[str, Facts]) -> Iterator[Said]:
    graph = {name: [i for i in one.inputs if i in facts] for name, one in facts.items()}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:  # noqa: PERF203 - as often as there are circles
            circle = list(reversed(error.args[1]))
            what = f"These tables feed each other in a circle: {' → '.join(circle)}."
            yield "cycle", facts[circle[0]].spot, what, "take one of the references out, or split a table.", circle[0], ""
            # Without this table's inputs the next circle shows, if there is one.
            graph[circle[0]] = []
        else:
            return


def _nulls(lineage: Lineage) -> Iterator[Said]:
    for name, facts in lineage.facts.items():
        told: set[tuple[str, Spot]] = set()
        for need in facts.needs:
            if (need.code, need.spot) not in told and lineage.may_be_null((need.table, need.column)):
                told.add((need.code, need.spot))
                own = need.column if need.table == name else ""
                yield need.code, need.spot, need.what, need.fix, name, own


def _undeclared(lineage: Lineage) -> Iterator[Said]:
    for table, facts in lineage.facts.items():
        for name, column in facts.columns.items():
            inherited = lineage.inherited((table, name))
            for kind, trail in inherited.items():
                if kind not in column.pii and kind not in column.declassified:
                    what = f'{column.name} is made of personal data of the class "{kind}": {_way(lineage, trail)}.'
                    fix = f"add `pii: {kind}`, or `declassified:` with a method and a reason."
                    yield "undeclared-pii", column.spot, what, fix, table, column.name
            if len(column.origins) == 1 and facts.kind != "files":
                origin = column.origins[0]
                for kind in column.pii:
                    if kind not in inherited and origin.table in lineage.facts:
                        other = lineage.name((origin.table, origin.column))
                        what = f'{column.name} is said to hold "{kind}", and {other}, which it is made of, is not.'
                        fix = f"add `pii: {kind}` to {other}, or take it away here."
                        yield "pii-from-nowhere", column.spot, what, fix, table, column.name
            for kind in column.declassified:
                if kind not in inherited:
                    what = f'{column.name} is declassified from "{kind}", and is made of no such data.'
                    yield "false-declassification", column.spot, what, "delete `declassified`.", table, column.name


def _by_name(facts: Mapping[str, Facts]) -> Iterator[Said]:
    """Yield delivered columns that say nothing of personal data, where another delivery's column of the same name does."""
    delivered = [(name, column) for name, one in facts.items() if one.kind == "files" for column in one.columns.values() if not column.by]
    held = {column.name.lower(): (name, column) for name, column in delivered if column.pii}
    for name, column in delivered:
        if not column.pii and column.name.lower() in held:
            table, other = held[column.name.lower()]
            what = f'{column.name} says nothing of personal data; {table}.{other.name} holds "{", ".join(other.pii)}".'
            fix = f"add `pii: {other.pii[0]}`, or accept the warning with a reason."
            yield "pii-elsewhere", column.spot, what, fix, name, column.name


def _way(lineage: Lineage, trail: Trail) -> str:
    return " → ".join(lineage.name(column) for column in trail)


def _leaks(lineage: Lineage, clearances: Mapping[str, Iterable[str]], masked: Collection[str]) -> Iterator[Said]:
    for table, facts in lineage.facts.items():
        held = [((table, name), kind, trail) for name in facts.columns for kind, trail in lineage.taint((table, name)).items()]
        bare = [one for one in held if not is_masked(lineage, one[0], masked)]
        for principal, spot in facts.grants.items():
            shown = bare if principal in facts.masked_for and principal != facts.owner else held
            yield from _seen(lineage, table, "the table", {principal: spot}, shown, clearances)
        if facts.quarantine is not None:
            sources = [name for name, use in facts.inputs.items() if use == "source" and name in lineage.facts]
            raw = [
                ((source, name), kind, trail)
                for source in sources
                for name in lineage.facts[source].columns
                for kind, trail in lineage.taint((source, name)).items()
            ]
            yield from _seen(lineage, table, f"the quarantine {table}_quarantine", facts.quarantine, raw, clearances)


def is_masked(lineage: Lineage, column: Column, masked: Collection[str]) -> bool:
    """Tell whether a column is masked for whoever is not cleared for it; `masked` are the classes that have a mask."""
    own = lineage.facts[column[0]].masks.get(column[1])
    held = lineage.taint(column)
    return bool(held) and (own if own is not None else all(kind in masked for kind in held))


def _seen(  # noqa: PLR0913, PLR0917 - who may see what
    lineage: Lineage,
    table: str,
    where: str,
    grants: Mapping[str, Spot],
    held: list[tuple[Column, str, Trail]],
    clearances: Mapping[str, Iterable[str]],
) -> Iterator[Said]:
    for principal, spot in grants.items():
        clear = set(clearances.get(principal, ()))
        shown: dict[str, tuple[Column, Trail]] = {}
        for column, kind, trail in held:
            if kind not in clear:
                shown.setdefault(kind, (column, trail))
        for kind, (column, trail) in shown.items():
            way = f": {_way(lineage, trail)}" if len(trail) > 1 else ""
            others = sum(one == kind for _, one, _ in held) - 1
            more = f" (and {others} more column{'s' if others > 1 else ''})" if others else ""
            what = f'{principal} may read {where}, whose {lineage.name(column)}{more} holds personal data of the class "{kind}"{way}.'
            fix = f"take the column out, take the grant back, or let metadata/principals.yml clear {principal} for {kind}."
            yield "pii-leak", spot, what, fix, table, ""


def _unused(facts: Mapping[str, Facts]) -> Iterator[Said]:
    read: dict[str, set[str]] = {}
    for name, one in facts.items():
        for table, column in one.reads:
            if table != name:
                read.setdefault(table, set()).add(column)
    for name, one in facts.items():
        if one.kind == "files" or name not in read or set(one.grants) - {one.owner}:
            continue
        for key, unread in one.columns.items():
            if key not in read[name] and key not in one.uses:
                what = f"{unread.name} is read by no contract, and only {one.owner} may read the table."
                yield "unused-column", unread.spot, what, "delete it, or accept the warning with a reason.", name, unread.name


def _overlaps(patterns: Mapping[str, tuple[list[str], Spot]]) -> Iterator[Said]:
    """Yield the file patterns of two tables that one file could match."""
    listed = sorted((_prefix(pattern), pattern, table) for table, (all_, _) in patterns.items() for pattern in all_)
    told: set[tuple[str, str]] = set()
    for i, (prefix, pattern, table) in enumerate(listed):
        for other_prefix, other, other_table in listed[i + 1 :]:
            if not other_prefix.startswith(prefix):
                break
            if other_table == table or (table, other_table) in told:
                continue
            name = _shared(pattern, other)
            if name:
                told |= {(table, other_table), (other_table, table)}
                what = f'A file named "{name}" is claimed by {table} ("{pattern}") and by {other_table} ("{other}").'
                fix = 'write patterns that no file can match twice, such as "orders_[0-9]*.csv".'
                yield "overlapping-patterns", patterns[table][1], what, fix, table, ""


def _prefix(pattern: str) -> str:
    return pattern[: min([pattern.find(sign) for sign in "*?[" if sign in pattern] or [len(pattern)])]


def _shared(one: str, other: str) -> str | None:
    """Return a file name that both patterns match, if an obvious one does."""
    for pattern, against in ((one, other), (other, one)):
        for filling in ("", "1", "2024-01-01", "x"):
            name = _filled(pattern, filling)
            if fnmatch(name, pattern) and fnmatch(name, against):
                return name
    return None


def _filled(pattern: str, filling: str) -> str:
    name, inside = "", False
    for i, sign in enumerate(pattern):
        if inside:
            inside = sign != "]"
        elif sign == "[":
            inside, name = True, name + pattern[i + 1 : i + 2]
        else:
            name += filling if sign == "*" else "1" if sign == "?" else sign
    return name


def _accepted(facts: Mapping[str, Facts], problems: list[Problem], root: Path) -> Verdict:
    kept: list[Problem] = []
    accepted: list[Acceptance] = []
    used: set[tuple[str, Spot]] = set()
    for problem in problems:
        one = facts.get(problem.table)
        fitting = [
            (reason, spot)
            for code, column, reason, spot, _ in (one.accepted if one else ())
            if problem.is_warning and code == problem.code and (column is None or column.lower() == problem.column.lower())
        ]
        if fitting:
            accepted.append(Acceptance(problem, fitting[0][0]))
            used |= {(problem.table, spot) for _, spot in fitting}
        else:
            kept.append(problem)
    faulty = {problem.table for problem in kept if not problem.is_warning}
    for name, one in facts.items():
        for code, column, _, spot, is_default in one.accepted:
            if not is_default and name not in faulty and (name, spot) not in used:
                about = f" about {column}" if column else ""
                what = f"The warning {code}{about} is accepted, and is not given."
                kept.append(_problem(root, "needless-acceptance", spot, what, "delete the acceptance.", name, column or ""))
    return Verdict(tuple(sorted(set(kept))), tuple(accepted))
