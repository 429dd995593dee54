"""What does a function give: of which type, null when, made of what?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.spec.facts import DERIVED
from framework.spec.sql.compare import one_of
from framework.spec.sql.functions import functions
from framework.spec.sql.parse import name_of
from framework.spec.sql.types import BIGINT, BOOLEAN, DOUBLE, INT, SOME_NUMBER, STRING, UNKNOWN, WHOLE, Type
from framework.spec.sql.values import NEVER, Value, made_of, union_of_nulls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlglot import exp

    from framework.spec.sql.infer import Reading


_PROPAGATE = frozenset(
    {"upper", "lower", "ucase", "lcase", "initcap", "trim", "ltrim", "rtrim", "btrim", "concat", "abs", "round", "bround", "floor", "ceil"}
    | {"length", "char_length", "lpad", "rpad", "replace", "translate", "reverse", "regexp_replace", "substring", "substr", "left", "right"}
    | {"year", "month", "day", "dayofmonth", "dayofweek", "quarter", "hour", "weekofyear", "date_format", "date_add", "date_sub"}
    | {
        "datediff",
        "add_months",
        "last_day",
        "date_trunc",
        "trunc",
        "md5",
        "sha",
        "sha1",
        "sha2",
        "hash",
        "xxhash64",
        "array_sort",
        "sort_array",
    }
    | {"size", "string", "sign", "repeat", "unix_seconds", "unix_millis"}
)
"""Functions that give null only where an argument is null."""


def returned(reading: Reading, node: exp.Expr, name: str, values: Sequence[Value]) -> Value:
    """Return what a function gives for some arguments."""
    first = values[0] if values else None
    if functions()[name].group == "generator":
        one_column = name in {"explode", "explode_outer"} and first is not None and first.type.base == "array" and first.type.of
        return made_of(values, first.type.of[0] if first and one_column else UNKNOWN)
    special = _SPECIAL.get(name)
    if special and values:
        return special(reading, node, values)
    if name in {"hash", "xxhash64", "uuid"}:
        return made_of(values, INT if name == "hash" else BIGINT if name == "xxhash64" else STRING, nulls=NEVER)
    nulls = union_of_nulls(values) if name in _PROPAGATE else NEVER if not values else None
    if name in {"to_date", "date"} and first and first.type.family == "time":
        nulls = first.nulls
    type_ = functions()[name].returned(first.type if first else None)
    if name == "round" and first and first.type.base == "decimal":
        type_ = _rounded(first.type, values)
    found = made_of(values, type_, nulls=nulls)
    if name == "abs" and first:
        return Value(first.type, nulls, found.origins, found.is_constant, found.is_aggregated, first.is_nonzero)
    return found


def _rounded(type_: Type, values: Sequence[Value]) -> Type:
    places = values[1].literal if len(values) > 1 else 0
    if not isinstance(places, int) or not 0 <= places <= type_.scale:
        return UNKNOWN
    return Type("decimal", min(38, type_.precision - type_.scale + places + 1), places)


def _coalesce(reading: Reading, node: exp.Expr, values: Sequence[Value]) -> Value:
    never = any(value.nulls == NEVER for value in values)
    found = one_of(reading, node, values)
    return Value(
        found.type,
        NEVER if never else None,
        found.origins,
        found.is_constant,
        found.is_aggregated,
        is_nonzero=False,
        is_exact=found.is_exact,
    )


def _nullif(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    first = values[0]
    nonzero = len(values) > 1 and values[1].literal == 0
    return Value(
        first.type,
        None,
        first.through(DERIVED),
        first.is_constant,
        first.is_aggregated,
        is_nonzero=nonzero or first.is_nonzero,
        is_exact=first.is_exact,
    )


def _greatest(reading: Reading, node: exp.Expr, values: Sequence[Value]) -> Value:
    found = one_of(reading, node, values)
    positive = any(isinstance(value.literal, int | float) and value.literal > 0 for value in values) and name_of(node) == "greatest"
    return Value(
        found.type, found.nulls, found.origins, found.is_constant, found.is_aggregated, is_nonzero=positive, is_exact=found.is_exact
    )


def _struct(_: Reading, node: exp.Expr, values: Sequence[Value]) -> Value:
    names = [part.alias_or_name or f"col{i}" for i, part in enumerate(node.expressions, 1)]
    return made_of(values, Type("struct", of=tuple(value.type for value in values), fields=tuple(names)), nulls=NEVER)


def _array(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    return made_of(values, Type("array", of=(values[0].type,)) if values[0].type.is_known else UNKNOWN, nulls=NEVER)


def _unknown_of(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    return made_of(values)


def _never_null(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    return made_of(values, nulls=NEVER)


def _condition_function(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    return made_of(values, BOOLEAN, nulls=NEVER)


def _true_or_false(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    return made_of(values, BOOLEAN)


def _named_struct(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    names, parts = values[::2], values[1::2]
    if len(names) != len(parts) or not all(isinstance(name.literal, str) for name in names):
        return made_of(values, nulls=NEVER)
    type_ = Type("struct", of=tuple(part.type for part in parts), fields=tuple(str(name.literal) for name in names))
    return made_of(parts, type_, nulls=NEVER)


def _element(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    outer = values[0].type
    return made_of(values, outer.of[-1] if outer.of and outer.base in {"array", "map"} else UNKNOWN)


def _same_as_first(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    return made_of(values, values[0].type, nulls=values[0].nulls)


def _nvl2(reading: Reading, node: exp.Expr, values: Sequence[Value]) -> Value:
    return one_of(reading, node, values[1:], values[:1])


def _transform(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    inner = values[-1].type
    return made_of(values, Type("array", of=(inner,)) if inner.is_known else UNKNOWN, nulls=values[0].nulls)


def _try_divide(_: Reading, __: exp.Expr, values: Sequence[Value]) -> Value:
    both = {value.type.base for value in values}
    whole = both <= {*WHOLE, "double", "float"}
    numbers = all(value.type.family == "number" for value in values)
    return made_of(values, DOUBLE if whole else SOME_NUMBER if numbers else UNKNOWN)


_SPECIAL: dict[str, Callable[[Reading, exp.Expr, Sequence[Value]], Value]] = {
    "coalesce": _coalesce,
    "nvl": _coalesce,
    "ifnull": _coalesce,
    "nvl2": _nvl2,
    "nullif": _nullif,
    "greatest": _greatest,
    "least": _greatest,
    "struct": _struct,
    "map": _never_null,
    "array": _array,
    "element_at": _element,
    "try_element_at": _element,
    "get": _element,
    "isnull": _condition_function,
    "isnotnull": _condition_function,
    "array_sort": _same_as_first,
    "sort_array": _same_as_first,
    "array_distinct": _same_as_first,
    "filter": _same_as_first,
    "slice": _same_as_first,
    "array_compact": _same_as_first,
    "array_remove": _same_as_first,
    "array_except": _same_as_first,
    "array_intersect": _same_as_first,
    "array_contains": _true_or_false,
    "arrays_overlap": _true_or_false,
    "map_contains_key": _true_or_false,
    "named_struct": _named_struct,
    "reverse": _same_as_first,
    "transform": _transform,
    "aggregate": _unknown_of,
    "reduce": _unknown_of,
    "try_divide": _try_divide,
}
