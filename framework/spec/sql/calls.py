"""What is wrong with the call of a function, an aggregate or a window?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from framework.spec.facts import AGGREGATED, DERIVED
from framework.spec.problem import nearest
from framework.spec.sql.compare import a_kind, check_pattern, divides, shown, wants_numbers
from framework.spec.sql.functions import FAMILIES, RAISING, UNORDERED, UNSTABLE, functions
from framework.spec.sql.given import returned
from framework.spec.sql.parse import name_of
from framework.spec.sql.types import BIGINT, DOUBLE, INT, SOME_NUMBER, STRING, UNKNOWN, WHOLE, Type
from framework.spec.sql.values import NEVER, Value, made_of, union_of_nulls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from framework.spec.sql.infer import Reading


def _window(reading: Reading, node: exp.Expr) -> Value:
    if not reading.may_window:
        reading.report(
            "misplaced-function",
            node,
            f"`{shown(node)}` looks at other rows, which has no place here.",
            "use `dedupe`, `group_by`, or a table made by `sql`.",
        )
    before = reading.may_aggregate, reading.is_inside_aggregate
    reading.may_aggregate, reading.is_inside_aggregate = True, False
    found = reading.value(node.this)
    reading.may_aggregate, reading.is_inside_aggregate = before
    ordered = [reading.value(part) for key in ("partition_by", "order", "spec") for part in _listed(node.args.get(key))]
    return Value(found.type, found.nulls, found.origins | made_of(ordered).origins, is_aggregated=False)


def _listed(value: object) -> list[exp.Expr]:
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, exp.Expr) else []


def _filter(reading: Reading, node: exp.Expr) -> Value:
    found = reading.value(node.this)
    inner = reading.is_inside_aggregate
    reading.is_inside_aggregate = True
    condition = reading.condition(node.expression.this)
    reading.is_inside_aggregate = inner
    return Value(
        found.type,
        found.nulls if found.nulls == NEVER and not found.is_nonzero else None,
        found.origins | condition.through(AGGREGATED),
        is_aggregated=True,
    )


def _within_group(reading: Reading, node: exp.Expr) -> Value:
    found = reading.value(node.this)
    ordered = [reading.value(part) for part in node.expression.iter_expressions()]
    return made_of([found, *ordered], ordered[0].type if ordered else UNKNOWN, how=AGGREGATED)


def _lambda(reading: Reading, node: exp.Expr) -> Value:
    outer = dict(reading.bound)
    reading.bound |= {parameter.name.lower(): reading.bound.get(f"->{i}", Value()) for i, parameter in enumerate(node.expressions)}
    found = reading.value(node.this)
    reading.bound = outer
    return found


_ONE_PER_ITEM = {"transform", "filter", "exists", "forall"}


_SORTING = {
    "array_sort",
    "sort_array",
    "array_max",
    "array_min",
    "size",
    "cardinality",
    "array_size",
    "array_contains",
    "array_distinct_sorted",
}


def _function(reading: Reading, node: exp.Expr) -> Value:
    name = name_of(node) or ""
    known = functions().get(name)
    arguments = list(node.expressions) if isinstance(node, exp.Anonymous) else []
    if known is None and name in _WITH_UNITS:
        return made_of(_arguments(reading, name, arguments))
    if known is None:
        values = [reading.value(argument) for argument in arguments]
        reading.report(
            "unknown-function",
            node,
            f'There is no function "{name}".',
            nearest(name, functions(), choice="Spark SQL's functions are known."),
        )
        return made_of(values)
    if name in UNSTABLE or (name == "unix_timestamp" and not arguments):
        reading.unstable.append((node, f"`{name}` answers otherwise in every run"))
    if name in UNORDERED and not reading.is_sorted:
        reading.unstable.append((node, f"`{name}` depends on the order in which rows come, which is not the same in every run"))
    if known.group == "window" and not isinstance(node.parent, exp.Window):
        reading.report("misplaced-function", node, f"`{name}` needs an `over (…)`.", "say over which rows it looks.")
    if known.group == "generator":
        _generates(reading, node, name)
    if known.group == "aggregate":
        return _aggregate(reading, node, name, arguments)
    was_sorted = reading.is_sorted
    reading.is_sorted = was_sorted or name in _SORTING
    values = _arguments(reading, name, arguments)
    reading.is_sorted = was_sorted
    counted = _flat(arguments)
    _check_call(reading, node, name, [*values], counted)
    return returned(reading, node, name, values)


def _generates(reading: Reading, node: exp.Expr, name: str) -> None:
    if not reading.may_window:
        reading.report(
            "misplaced-function", node, f"`{name}` makes several rows of one, which has no place here.", "use `explode` at the source."
        )


def _flat(arguments: Sequence[exp.Expr]) -> int:
    return sum(len(argument.expressions) if isinstance(argument, exp.Distinct) else 1 for argument in arguments)


def _arguments(reading: Reading, name: str, arguments: Sequence[exp.Expr]) -> list[Value]:
    values: list[Value] = []
    outer = dict(reading.bound)
    for argument in arguments:
        if isinstance(argument, exp.Lambda) and name in _ONE_PER_ITEM and values and values[0].type.of:
            reading.bound |= {"->0": Value(values[0].type.of[0], None, values[0].through(DERIVED)), "->1": Value(INT, NEVER)}
        if name in _WITH_UNITS and isinstance(argument, exp.Column) and argument.name.upper() in _UNITS and argument is arguments[0]:
            values.append(Value(STRING, NEVER, is_constant=True))
        elif isinstance(argument, exp.Distinct):
            values += [reading.value(part) for part in argument.expressions]
        else:
            values.append(reading.value(argument))
        reading.bound = dict(outer)
    return values


_WITH_UNITS = {"date_add", "dateadd", "datediff", "date_diff", "timestampadd", "timestampdiff"}


_UNITS = {"MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "DAYOFYEAR", "WEEK", "MONTH", "QUARTER", "YEAR"}


def _check_call(reading: Reading, node: exp.Expr, name: str, values: Sequence[Value], count: int) -> None:
    known = functions()[name]
    units = name in _WITH_UNITS and count == 3  # noqa: PLR2004 - unit, and two dates
    if isinstance(node, exp.Anonymous) and not known.takes(count) and not units:
        reading.report(
            "wrong-argument-count",
            node,
            f"`{name}` is called with {count} argument{'s' if count != 1 else ''}; it takes {known.said_arities}.",
            f"call it with {known.said_arities}.",
        )
        return
    for number, (value, refused) in enumerate(zip(values, known.refuses, strict=False)):
        if value.type.base in refused and not value.is_constant and not units:
            ordinal = ("first", "second", "third", "fourth")[number]
            taken = [family for family in FAMILIES if family not in refused]
            fix = f"it takes {', '.join(taken)}." if taken else "give it another type."
            reading.report("type-mismatch", node, f"`{name}` does not take {a_kind(value.type)} as its {ordinal} argument.", fix)
    if name in RAISING and values and values[0].type.family == "text" and not values[0].is_constant:
        safe = f"try_{name}" if f"try_{name}" in functions() else "try_cast"
        reading.report(
            "unsafe-cast",
            node,
            f"`{name}` of text stops the run at the first that cannot be read.",
            f"use `{safe}`, or let the column's `type` and `formats` read it.",
        )
    if name in {"mod", "pmod", "div"} and len(values) > 1:
        divides(reading, node, node.expressions[1], values[1])
    if name in {"rlike", "regexp", "regexp_like", "regexp_replace", "regexp_extract", "regexp_count", "regexp_substr"} and len(values) > 1:
        pattern = values[1].literal
        if isinstance(pattern, str):
            check_pattern(reading, node.expressions[1], pattern)


_OF_NUMBERS = {"sum", "avg", "mean", "stddev", "variance", "median", "stddev_samp", "var_samp", "try_sum", "try_avg"}


def _aggregate(reading: Reading, node: exp.Expr, name: str, arguments: Sequence[exp.Expr]) -> Value:
    if not reading.may_aggregate:
        reading.report(
            "misplaced-function",
            node,
            f"`{name}` gathers several rows, which has no place here.",
            "write it as a `measure` of a table with `group_by`, or in a table made by `sql`.",
        )
    elif reading.is_inside_aggregate:
        reading.report("misplaced-function", node, f"`{shown(node)}` stands inside another aggregate.", "aggregate once.")
    outer = reading.is_inside_aggregate
    # Over a window an aggregate runs after the grouping, so it may take an aggregate: `sum(sum(x)) over (…)`.
    reading.is_inside_aggregate = not isinstance(node.parent, exp.Window)
    values = _arguments(reading, name, arguments)
    reading.is_inside_aggregate = outer
    star = any(isinstance(argument, exp.Star) for argument in arguments)
    sums = name in _OF_NUMBERS
    _check_call(reading, node, name, [] if sums else values, _flat(arguments))
    if name in {"count", "count_if", "approx_count_distinct", "regr_count"}:
        always = name == "count" and (star or all(value.nulls == NEVER for value in values))
        found = made_of(values, BIGINT, how=AGGREGATED, nulls=NEVER)
        return Value(found.type, NEVER, found.origins, is_aggregated=True, is_nonzero=always)
    if sums:
        wants_numbers(reading, node, values)
    type_ = _aggregate_type(name, values)
    empty = name in {"collect_list", "collect_set", "array_agg"}
    found = made_of(values, type_, how=AGGREGATED, nulls=NEVER if empty else union_of_nulls(values[:1]))
    exact = (
        name in {"min", "max", "first", "last", "any_value", "first_value", "last_value", "mode", "sum"}
        and bool(values)
        and values[0].is_exact
    )
    return Value(found.type, found.nulls, found.origins, is_aggregated=True, is_exact=exact)


def _aggregate_type(name: str, values: Sequence[Value]) -> Type:
    first = values[0].type if values else UNKNOWN
    if name in {"min", "max", "first", "last", "any_value", "first_value", "last_value", "mode", "min_by", "max_by"}:
        return first
    if name in {"sum", "try_sum"}:
        if first.base in WHOLE:
            return BIGINT
        if first.base == "decimal":
            return Type("decimal", min(38, first.precision + 10), first.scale)
        return DOUBLE if first.family == "number" else UNKNOWN
    if name in {"avg", "mean", "try_avg"}:
        return DOUBLE if first.base in {*WHOLE, "double", "float"} else SOME_NUMBER if first.base == "decimal" else UNKNOWN
    if name in {"collect_list", "collect_set", "array_agg"}:
        return Type("array", of=(first,)) if first.is_known else UNKNOWN
    return functions()[name].returned(first)


CALLS: dict[type, Callable[[Reading, exp.Expr], Value]] = {
    exp.Window: _window,
    exp.Filter: _filter,
    exp.WithinGroup: _within_group,
    exp.Lambda: _lambda,
    exp.Anonymous: _function,
    exp.CurrentDate: _function,
    exp.CurrentTimestamp: _function,
    exp.CurrentUser: _function,
    exp.SessionUser: _function,
}
