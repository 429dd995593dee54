"""Which rules does a contract put a row to, by name?

A rule is what is counted and reported: a required value, a value that must be readable as its type, a check, a row
condition, a join that must match.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Literal

from framework.spec.checks import KINDS, AtLeast, Between, Check, GreaterThan, Holds, In, Matches
from framework.spec.table import GroupedTable, MappedTable, QueryTable, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.spec.columns import MappedColumn
    from framework.spec.grammar import Otherwise

Kind = Literal["required", "readable", "check", "row", "match"]


@dataclass(frozen=True)
class Rule:
    """One thing a row can break, and what follows."""

    name: str
    kind: Kind
    otherwise: Otherwise
    message: str
    column: str | None = None
    check: Check | None = None

    @property
    def flag(self) -> str:
        """Return the name of the column that is true where a row breaks the rule."""
        return f"__broken_{self.name}"


def rules_of(table: Table) -> tuple[Rule, ...]:
    """Return a table's rules in the order of its contract; names are made unique."""
    rules: list[Rule] = []
    if isinstance(table, MappedTable | GroupedTable):
        rules += [
            Rule(f"no_match_in_{join.table}", "match", "drop", f"No row of {join.table} matches.")
            for join in table.joins
            if join.missing == "drop"
        ]
    if isinstance(table, MappedTable):
        rules += [rule for column in table.columns for rule in _column_rules(column)]
    if isinstance(table, MappedTable | GroupedTable | QueryTable):
        rules += [Rule(check.name or "row", "row", check.otherwise, check.message or meaning(check), check=check) for check in table.checks]
    counts: dict[str, int] = {}
    unique = []
    for rule in rules:
        counts[rule.name] = counts.get(rule.name, 0) + 1
        name = rule.name if counts[rule.name] == 1 else f"{rule.name}_{counts[rule.name]}"
        unique.append(Rule(name, rule.kind, rule.otherwise, rule.message, rule.column, rule.check))
    return tuple(unique)


def _column_rules(column: MappedColumn) -> Iterator[Rule]:
    missing: Otherwise = column.required if isinstance(column.required, str) else "quarantine"
    if column.required:
        yield Rule(f"{column.name}_required", "required", missing, _missing(column), column.name)
    if column.type != "string":
        unreadable = column.unreadable or (missing if column.required else "set_null")
        yield Rule(
            f"{column.name}_readable", "readable", unreadable, f"{column.name} cannot be read as {_kind_of(column.type)}.", column.name
        )
    for check in column.checks:
        kind = next(kind for kind, model in KINDS.items() if isinstance(check, model))
        message = check.message or f"{column.name} {meaning(check)}"
        yield Rule(check.name or f"{column.name}_{kind}", "check", check.otherwise, message, column.name, check)


def _missing(column: MappedColumn) -> str:
    # An array or a struct comes out of text that may be there and yet make no sense.
    return f"{column.name} is missing{' or cannot be read' if '<' in column.type else ''}."


def _kind_of(type_: str) -> str:
    return type_ if "<" not in type_ else type_[: type_.index("<")]


@singledispatch
def meaning(check: Check) -> str:
    """Return what a row that breaks `check` is told; never a value of the row."""
    raise NotImplementedError(type(check).__name__)


@meaning.register(In)
def _in(check: In) -> str:
    if check.target:
        return f"does not stand in {'.'.join(check.target)}."
    return f"is none of {check.values}."


@meaning.register(Between)
def _between(check: Between) -> str:
    return f"is not between {check.between[0]:g} and {check.between[1]:g}."


@meaning.register(AtLeast)
def _at_least(check: AtLeast) -> str:
    return f"is less than {check.at_least:g}."


@meaning.register(GreaterThan)
def _greater_than(check: GreaterThan) -> str:
    return f"is not greater than {check.greater_than:g}."


@meaning.register(Matches)
def _matches(check: Matches) -> str:
    return f"does not match {check.matches}."


@meaning.register(Holds)
def _holds(check: Holds) -> str:
    return f"does not hold: {check.sql}."
