"""Can a row break a check, and can one pass it?"""

from __future__ import annotations

import re
from functools import singledispatch
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from framework.spec.checks import AtLeast, Between, Check, GreaterThan, Holds, In, Matches
from framework.spec.facts import Origin
from framework.spec.sql.compare import reads_text
from framework.spec.sql.parse import InvalidSqlError, parsed
from framework.spec.sql.types import RANGES, Type, read_type, reads_as
from framework.spec.sql.values import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework.spec.examine.contract import Examination, Rows
    from framework.spec.load import Loc


def say_checks(examination: Examination, checks: Sequence[Check], loc: Loc, rows: Rows, column: str = "") -> None:
    """Note what is wrong in the checks of a column, or of whole rows."""
    type_ = rows.columns[column.lower()].type if column else None
    for i, check in enumerate(checks):
        at = (*loc, i)
        if check in checks[:i]:
            examination.say("repeated-item", at, "The same check is written twice.", "delete one of them.", column=column)
            continue
        if isinstance(check, Holds):
            _say_condition(examination, check, (*at, "sql"), rows, column)
        elif type_ is not None:
            fault = fault_of(check, type_)
            if fault:
                examination.say(fault[0], (*at, _key(check)), fault[1], fault[2], column=column)
            if isinstance(check, In) and isinstance(check.values, list):
                _say_listed(examination, check.values, (*at, "in"), column)
            if isinstance(check, In) and check.target:
                _say_target(examination, check, (*at, "in"), type_, column)
    if type_ is not None:
        _say_together(examination, checks, loc, column)


def _key(check: Check) -> str:
    return {In: "in", Between: "between", AtLeast: "at_least", GreaterThan: "greater_than", Matches: "matches"}[type(check)]


Fault = tuple[str, str, str]


@singledispatch
def fault_of(check: Check, type_: Type) -> Fault | None:
    """Return code, fault and fix where a check does not suit a column of a type."""
    raise NotImplementedError(type(check).__name__)


@fault_of.register
def _holds(_: Holds, __: Type) -> Fault | None:
    return None


@fault_of.register
def _in(check: In, type_: Type) -> Fault | None:
    for value in check.values if isinstance(check.values, list) else ():
        given = f'"{value}"' if isinstance(value, str) else str(value).lower()
        fits = (
            isinstance(value, bool)
            if type_.family == "boolean"
            else isinstance(value, int | float) and not isinstance(value, bool)
            if type_.family == "number"
            else isinstance(value, str) and reads_text(value, type_)
            if type_.family in {"text", "time"}
            else type_.family in {"unknown", "binary"}
        )
        if not fits:
            return (
                "type-mismatch",
                f"{given} is no {type_}; no value of the column is ever equal to it.",
                "write values of the column's type.",
            )
        if isinstance(value, int) and type_.base in RANGES and not RANGES[type_.base][0] <= value <= RANGES[type_.base][1]:
            return "type-mismatch", f"{given} does not fit into {type_}.", "write values that the column can hold."
    return None


@fault_of.register
def _between(check: Between, type_: Type) -> Fault | None:
    return _bounded(type_, check.between[0], check.between[1])


@fault_of.register
def _at_least(check: AtLeast, type_: Type) -> Fault | None:
    return _bounded(type_, check.at_least, None)


@fault_of.register
def _greater_than(check: GreaterThan, type_: Type) -> Fault | None:
    return _bounded(type_, check.greater_than, None, is_open=True)


@fault_of.register
def _matches(_: Matches, type_: Type) -> Fault | None:
    if type_.is_known and type_.family != "text":
        return "type-mismatch", f"`matches` asks for text; the column is {type_}.", "use `between`, `in` or `sql`."
    return None


def limits(type_: Type) -> tuple[float, float] | None:
    """Return the least and the greatest value of a type; None where there is no such bound worth naming."""
    if type_.base in RANGES:
        return RANGES[type_.base]
    if type_.base == "decimal":
        most = float(10 ** (type_.precision - type_.scale))
        return -most, most
    return None


def _bounded(type_: Type, low: float, high: float | None, *, is_open: bool = False) -> Fault | None:
    if type_.is_known and type_.family != "number":
        return "type-mismatch", f"The check compares with a number; the column is {type_}.", "use `sql`, `in` or `matches`."
    there = limits(type_)
    if there is None:
        return None
    if low > there[1] or (is_open and low >= there[1]) or (high is not None and high < there[0]):
        return "rule-always-fails", f"No {type_} is as large as that.", "write a bound that the column's type can reach."
    if (low < there[0] or (low == there[0] and not is_open)) and (high is None or high >= there[1]):
        return "rule-never-fails", f"Every {type_} lies within.", "write a bound that a value can break."
    return None


def _say_listed(examination: Examination, values: Sequence[object], loc: Loc, column: str) -> None:
    """Note a listed value that reads like a column of another table."""
    for i, value in enumerate(values):
        table, dot, name = str(value).rpartition(".")
        if dot and table in examination.around.names and name in (examination.around.columns(table) or ()):
            what = f'"{value}" is one value of a list here, not the values of that column.'
            examination.say("invalid-value", (*loc, i), what, f"write `in: {value}`, without the brackets.", column=column)


def _say_target(examination: Examination, check: In, loc: Loc, type_: Type, column: str) -> None:
    table, name = check.target or ("", "")
    there = examination.around.columns(table)
    if there is None or not examination.known([name], loc, there, column=column):
        return
    examination.facts.reads.add((table, name.lower()))
    other = examination.around.type_of(table, name)
    if reads_as(type_, other) is False:
        what = f"The column is {type_}, {table}.{name} is {other}; they are never equal."
        examination.say("type-mismatch", loc, what, "compare with a column of the same type.", column=column)


def _say_condition(examination: Examination, check: Holds, loc: Loc, rows: Rows, column: str) -> None:
    before = len(examination.problems)
    value = examination.read(check.sql, loc, rows, column=column, is_condition=True)
    examination.facts.reads |= {(origin.table, origin.column) for origin in value.origins if isinstance(origin, Origin)}
    if len(examination.problems) > before:
        return
    try:
        tree = parsed(check.sql)
    except InvalidSqlError:
        return
    verdict = _verdict(tree, rows, is_constant=value.is_constant)
    if verdict is not None:
        code = "rule-never-fails" if verdict else "rule-always-fails"
        what = f"`{check.sql.strip()}` is {'true' if verdict else 'false'} for every row."
        examination.say(code, loc, what, "write a condition that some rows hold and others break.", column=column)


def _verdict(tree: exp.Expr, rows: Rows, *, is_constant: bool) -> bool | None:
    """Return whether a condition is true or false whatever the row; None where it depends."""
    if is_constant:
        simple = simplify(tree.copy())
        return bool(simple.this) if isinstance(simple, exp.Boolean) else True
    negated = isinstance(tree, exp.Not)
    inner = tree.this if negated else tree
    inner = inner.this if isinstance(inner, exp.Paren) else inner
    if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null) and isinstance(inner.this, exp.Column):
        parts = inner.this.parts
        value = rows.columns.get(parts[0].name.lower())
        if value is not None and len(parts) == 1 and value.nulls == NEVER:
            return negated
    return None


def _say_together(examination: Examination, checks: Sequence[Check], loc: Loc, column: str) -> None:
    """Note checks of one column that no value passes together."""
    low, high, is_open = float("-inf"), float("inf"), False
    for i, check in enumerate(checks):
        if isinstance(check, Between):
            if check.between[0] > low:
                low, is_open = check.between[0], False
            high = min(high, check.between[1])
        elif isinstance(check, AtLeast) and check.at_least > low:
            low, is_open = check.at_least, False
        elif isinstance(check, GreaterThan) and check.greater_than >= low:
            low, is_open = check.greater_than, True
        elif isinstance(check, In) and isinstance(check.values, list):
            numbers = [value for value in check.values if isinstance(value, int | float) and not isinstance(value, bool)]
            high = min(high, max(numbers)) if numbers else high
        if low > high or (is_open and low == high):
            what = "No value passes this check together with the column's others."
            examination.say("rule-always-fails", (*loc, i), what, "write bounds that leave some values.", column=column)
            return


def broken_by(default: object, checks: Sequence[Check]) -> Check | None:
    """Return the check that a default breaks; None where it passes all that can be told."""
    for check in checks:
        number = default if isinstance(default, int | float) and not isinstance(default, bool) else None
        match check:
            case Between() if number is not None and not check.between[0] <= number <= check.between[1]:
                return check
            case AtLeast() if number is not None and number < check.at_least:
                return check
            case GreaterThan() if number is not None and number <= check.greater_than:
                return check
            case In() if isinstance(check.values, list) and default not in check.values:
                return check
            case Matches() if isinstance(default, str) and _matches_not(check.matches, default):
                return check
    return None


def _matches_not(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is None
    except re.error:
        return False


def default_fits(default: object, type_text: str) -> bool:
    """Tell whether a default is a value of a type.

    >>> default_fits(0, "decimal(5,4)"), default_fits("none", "int"), default_fits(7, "date")
    (True, False, False)
    """
    type_ = read_type(type_text)
    if isinstance(default, bool):
        return type_.family in {"boolean", "unknown"}
    if isinstance(default, int | float):
        there = limits(type_)
        if type_.family in {"text", "unknown"}:
            return True
        if type_.family != "number" or (there and not there[0] <= default <= there[1]):
            return False
        return not (isinstance(default, float) and type_.base in RANGES and default != int(default))
    return reads_text(str(default), type_)
