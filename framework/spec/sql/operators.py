"""What do columns, literals and operators give, and what is wrong with them?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from framework.spec.facts import DERIVED
from framework.spec.problem import nearest
from framework.spec.sql.compare import a_kind, check_pattern, compare, divides, one_of, reads_text, shown, wants_numbers
from framework.spec.sql.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    SOME_NUMBER,
    STRING,
    UNKNOWN,
    VOID,
    WHOLE,
    InvalidTypeError,
    Type,
    decimal_of,
    never_casts,
    type_of,
    wider,
)
from framework.spec.sql.values import NEVER, Value, made_of, union_of_nulls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from framework.spec.sql.infer import Reading


def _column(reading: Reading, node: exp.Expr) -> Value:
    assert isinstance(node, exp.Column)  # noqa: S101 - the table of handlers says so
    return reading.scope.column(node, reading)


def of_field(value: Value, names: Sequence[exp.Expr], reading: Reading) -> Value:
    """Return a struct's field, and the field's field; reports where there is none."""
    for name in names:
        type_ = value.type
        if type_.base == "array" and type_.of and type_.of[0].base == "struct":
            inner = type_.of[0].field(name.name)
            found = Type("array", of=(inner,)) if inner else None
        elif type_.base == "struct":
            found = type_.field(name.name)
        elif type_.base in {"unknown", "void", "map", "variant"}:
            found = type_.of[1] if type_.base == "map" and len(type_.of) == 2 else UNKNOWN  # noqa: PLR2004 - key and value
        else:
            reading.report(
                "unknown-column",
                name,
                f'There is no field "{name.name}": {a_kind(type_)} has none.',
                "take the field of a struct, or parse the JSON first with `parse_json`.",
            )
            found = UNKNOWN
        if found is None:
            fields = (type_.of[0] if type_.base == "array" else type_).fields
            reading.report("unknown-column", name, f'The struct has no field "{name.name}".', nearest(name.name, fields))
            found = UNKNOWN
        value = Value(found, None, value.through(DERIVED), value.is_constant, value.is_aggregated, is_exact=True)
    return value


def _identifier(reading: Reading, node: exp.Expr) -> Value:
    return reading.bound.get(node.name.lower(), Value())


def _dot(reading: Reading, node: exp.Expr) -> Value:
    if isinstance(node.expression, exp.Identifier):
        return of_field(reading.value(node.this), [node.expression], reading)
    return made_of(reading.values(node))


_WHOLE_NUMBER = re.compile(r"[0-9]+")


_FRACTION = re.compile(r"([0-9]*)\.([0-9]*)")


def _literal(_: Reading, node: exp.Expr) -> Value:
    text = node.name
    if node.args.get("is_string"):
        return Value(STRING, NEVER, is_constant=True, is_exact=True, literal=text)
    if _WHOLE_NUMBER.fullmatch(text):
        number = int(text)
        type_ = INT if number < 2**31 else BIGINT if number < 2**63 else Type("decimal", min(38, len(text)), 0)
        return Value(type_, NEVER, is_constant=True, is_nonzero=number != 0, literal=number)
    fraction = _FRACTION.fullmatch(text)
    if fraction:
        digits = max(1, len(fraction[1].lstrip("0")) + len(fraction[2]))
        type_ = Type("decimal", min(38, digits), min(38, len(fraction[2])))
        return Value(type_, NEVER, is_constant=True, is_nonzero=float(text) != 0, literal=float(text))
    return Value(DOUBLE, NEVER, is_constant=True, is_nonzero=True)


def _raw_string(_: Reading, node: exp.Expr) -> Value:
    return Value(STRING, NEVER, is_constant=True, is_exact=True, literal=node.name)


def _null(_: Reading, __: exp.Expr) -> Value:
    return Value(VOID, None, is_constant=True)


def _boolean(_: Reading, node: exp.Expr) -> Value:
    return Value(BOOLEAN, NEVER, is_constant=True, literal=bool(node.this))


def _inner(reading: Reading, node: exp.Expr) -> Value:
    return reading.value(node.this)


def _negative(reading: Reading, node: exp.Expr) -> Value:
    found = reading.value(node.this)
    wants_numbers(reading, node, [found])
    literal = -found.literal if isinstance(found.literal, int | float) and not isinstance(found.literal, bool) else None
    return Value(found.type, found.nulls, found.through(DERIVED), found.is_constant, found.is_aggregated, found.is_nonzero, literal=literal)


def _logical(reading: Reading, node: exp.Expr) -> Value:
    parts = [reading.condition(part) for part in node.iter_expressions()]
    return made_of(parts, BOOLEAN, nulls=union_of_nulls(parts))


_COMPARED_WITH_NULL = "a comparison with null is never true; write `is null` or `is not null`."


def _comparison(reading: Reading, node: exp.Expr) -> Value:
    left, right = reading.value(node.this), reading.value(node.expression)
    compare(reading, node, left, right)
    if not isinstance(node, exp.NullSafeEQ) and (isinstance(node.this, exp.Null) or isinstance(node.expression, exp.Null)):
        reading.report("type-mismatch", node, f"`{shown(node)}` is never true.", _COMPARED_WITH_NULL)
    elif node.this == node.expression and not left.is_constant:
        code = "rule-never-fails" if isinstance(node, exp.EQ | exp.NullSafeEQ | exp.GTE | exp.LTE) else "rule-always-fails"
        reading.report(code, node, f"`{shown(node)}` compares a value with itself.", "compare it with what was meant.")
    safe = isinstance(node, exp.NullSafeEQ)
    return made_of([left, right], BOOLEAN, nulls=NEVER if safe else union_of_nulls([left, right]))


def _between(reading: Reading, node: exp.Expr) -> Value:
    value, low, high = (reading.value(node.args[part]) for part in ("this", "low", "high"))
    for bound in (low, high):
        compare(reading, node, value, bound)
    if isinstance(low.literal, int | float) and isinstance(high.literal, int | float) and low.literal > high.literal:
        reading.report("rule-always-fails", node, f"Nothing lies between {low.literal} and {high.literal}.", "write the lower bound first.")
    return made_of([value, low, high], BOOLEAN, nulls=union_of_nulls([value, low, high]))


def _in(reading: Reading, node: exp.Expr) -> Value:
    value = reading.value(node.this)
    parts = [value]
    if node.args.get("query"):
        parts.append(reading.value(node.args["query"]))
    for item in node.expressions:
        found = reading.value(item)
        compare(reading, item, value, found)
        parts.append(found)
    return made_of(parts, BOOLEAN, nulls=union_of_nulls(parts))


def _is(reading: Reading, node: exp.Expr) -> Value:
    return made_of([reading.value(node.this)], BOOLEAN, nulls=NEVER)


def _like(reading: Reading, node: exp.Expr) -> Value:
    parts = [reading.value(node.this), reading.value(node.expression)]
    for part in parts:
        if part.type.is_known and part.type.family not in {"text", "binary"}:
            reading.report(
                "type-mismatch", node, f"{a_kind(part.type).capitalize()} is matched as text.", "match a text, or compare with `=`."
            )
    pattern = parts[1].literal
    if isinstance(node, exp.RegexpLike) and isinstance(pattern, str):
        check_pattern(reading, node.expression, pattern)
    return made_of(parts, BOOLEAN, nulls=union_of_nulls(parts))


def _concat(reading: Reading, node: exp.Expr) -> Value:
    parts = reading.values(node)
    array = any(part.type.base == "array" for part in parts)
    return made_of(parts, parts[0].type if array else STRING, nulls=union_of_nulls(parts))


def _arithmetic(reading: Reading, node: exp.Expr) -> Value:
    left, right = reading.value(node.this), reading.value(node.expression)
    families = {left.type.family, right.type.family}
    if "time" in families:
        return _with_time(reading, node, left, right)
    if "interval" in families or not wants_numbers(reading, node, [left, right]):
        return made_of([left, right])
    if isinstance(node, exp.Div | exp.IntDiv | exp.Mod):
        divides(reading, node, node.expression, right)
    nulls = union_of_nulls([left, right])
    found = made_of([left, right], _result(node, left.type, right.type), nulls=nulls)
    if isinstance(node, exp.Mul) and left.is_nonzero and right.is_nonzero:
        return Value(found.type, nulls, found.origins, found.is_constant, found.is_aggregated, is_nonzero=True)
    return found


def _result(node: exp.Expr, left: Type, right: Type) -> Type:
    """Return the type that Spark gives to the result of two numbers."""
    if not left.is_known or not right.is_known:
        return UNKNOWN
    both = wider(left, right)
    if isinstance(node, exp.IntDiv):
        return BIGINT
    if isinstance(node, exp.Div):
        return DOUBLE if both.base != "decimal" else SOME_NUMBER
    if both.base != "decimal" or isinstance(node, exp.Mod):
        return both
    one, other = decimal_of(left), decimal_of(right)
    if isinstance(node, exp.Mul):
        return _fitted(one.precision + other.precision + 1, one.scale + other.scale)
    scale = max(one.scale, other.scale)
    return _fitted(max(one.precision - one.scale, other.precision - other.scale) + scale + 1, scale)


def _fitted(precision: int, scale: int) -> Type:
    return Type("decimal", precision, scale) if precision <= 38 else SOME_NUMBER  # noqa: PLR2004 - Spark's widest decimal


def _with_time(reading: Reading, node: exp.Expr, left: Value, right: Value) -> Value:
    families = (left.type.family, right.type.family)
    parts = [left, right]
    nulls = union_of_nulls(parts)
    subtracts = isinstance(node, exp.Sub)
    if isinstance(node, exp.Add | exp.Sub):
        if families == ("time", "time") and subtracts:
            return made_of(parts, Type("interval"), nulls=nulls)
        if "interval" in families or not left.type.is_known or not right.type.is_known:
            return made_of(parts, UNKNOWN, nulls=nulls)
        if left.type.base == "date" and right.type.base in WHOLE:
            return made_of(parts, DATE, nulls=nulls)
        if right.type.base == "date" and left.type.base in WHOLE and not subtracts:
            return made_of(parts, DATE, nulls=nulls)
    what = f"`{shown(node)}` calculates with {a_kind(left.type)} and {a_kind(right.type)}."
    reading.report("type-mismatch", node, what, "use date_add, datediff or an interval.")
    return made_of(parts)


def _case(reading: Reading, node: exp.Expr) -> Value:
    subject = reading.value(node.this) if node.this else None
    before = set(reading.guarded)
    results, conditions = [], []
    for branch in node.args["ifs"]:
        if subject is None:
            conditions.append(reading.condition(branch.this))
            reading.guarded |= {column.name.lower() for column in branch.this.find_all(exp.Column)}
        else:
            found = reading.value(branch.this)
            compare(reading, branch.this, subject, found)
            conditions.append(found)
        results.append(reading.value(branch.args["true"]))
    default = node.args.get("default")
    results.append(reading.value(default) if default else Value(VOID, None, is_constant=True))
    reading.guarded = before
    return one_of(reading, node, results, [*conditions, *([subject] if subject else [])])


def _if(reading: Reading, node: exp.Expr) -> Value:
    condition = reading.condition(node.this)
    before = set(reading.guarded)
    reading.guarded |= {column.name.lower() for column in node.this.find_all(exp.Column)}
    no = node.args.get("false")
    results = [reading.value(node.args["true"]), reading.value(no) if no else Value(VOID, None, is_constant=True)]
    reading.guarded = before
    return one_of(reading, node, results, [condition])


def _cast(reading: Reading, node: exp.Expr) -> Value:
    given = reading.value(node.this)
    try:
        type_ = type_of(node.args["to"])
    except InvalidTypeError:
        type_ = UNKNOWN
    safe = isinstance(node, exp.TryCast)
    if given.type.is_known and type_.is_known:
        if never_casts(given.type, type_):
            what = f"{a_kind(given.type).capitalize()} can never become {a_kind(type_)}."
            reading.report("type-mismatch", node, what, "cast to the type that was meant.")
        elif isinstance(given.literal, str) and not reads_text(given.literal, type_):
            reading.report("type-mismatch", node, f'"{given.literal}" is not {a_kind(type_)}.', f"write a value that is {a_kind(type_)}.")
        elif not safe and given.type.family == "text" and type_.family not in {"text", "binary"} and not given.is_constant:
            reading.report(
                "unsafe-cast",
                node,
                f"A cast of text to {a_kind(type_)} stops the run at the first that cannot be read.",
                f"write `try_cast(… as {type_})`; a text that cannot be read is null then.",
            )
    loses = given.type.family == "text" and type_.family != "text"
    nulls = None if (safe or loses) and not given.is_constant else given.nulls
    return Value(
        type_, nulls, given.through(DERIVED), given.is_constant, given.is_aggregated, given.is_nonzero, is_exact=True, literal=None
    )


def _bracket(reading: Reading, node: exp.Expr) -> Value:
    parts = reading.values(node)
    outer = parts[0].type
    inner = outer.of[-1] if outer.base in {"array", "map"} and outer.of else UNKNOWN
    return made_of(parts, inner)


def _place(reading: Reading, node: exp.Expr) -> Value:
    parts = reading.values(node)
    return made_of(parts, INT, nulls=union_of_nulls(parts))


def _text_function(reading: Reading, node: exp.Expr) -> Value:
    parts = reading.values(node)
    return made_of(parts, STRING, nulls=union_of_nulls(parts))


def _extract(reading: Reading, node: exp.Expr) -> Value:
    part = reading.value(node.expression)
    if part.type.is_known and part.type.family not in {"time", "interval", "text"}:
        reading.report("type-mismatch", node, f"There is no {node.this.name.lower()} in {a_kind(part.type)}.", "extract from a date.")
    whole = node.this.name.upper() not in {"SECOND", "SECONDS"}
    return made_of([part], INT if whole else SOME_NUMBER, nulls=part.nulls)


def _interval(reading: Reading, node: exp.Expr) -> Value:
    return made_of([reading.value(node.this)] if node.this else [], Type("interval"), nulls=NEVER)


def _star(_: Reading, __: exp.Expr) -> Value:
    return Value()


def _nothing(_: Reading, __: exp.Expr) -> Value:
    return Value(is_constant=True)


def _subquery(reading: Reading, node: exp.Expr) -> Value:
    return reading.scope.query(node, reading)


OPERATORS: dict[type, Callable[[Reading, exp.Expr], Value]] = {
    exp.Column: _column,
    exp.Identifier: _identifier,
    exp.Dot: _dot,
    exp.Literal: _literal,
    exp.RawString: _raw_string,
    exp.Null: _null,
    exp.Boolean: _boolean,
    exp.Paren: _inner,
    exp.Alias: _inner,
    exp.Distinct: lambda reading, node: made_of(reading.values(node)),
    exp.IgnoreNulls: _inner,
    exp.RespectNulls: _inner,
    exp.Ordered: _inner,
    exp.Neg: _negative,
    exp.Not: _logical,
    exp.And: _logical,
    exp.Or: _logical,
    exp.EQ: _comparison,
    exp.NEQ: _comparison,
    exp.GT: _comparison,
    exp.GTE: _comparison,
    exp.LT: _comparison,
    exp.LTE: _comparison,
    exp.NullSafeEQ: _comparison,
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.Like: _like,
    exp.ILike: _like,
    exp.RegexpLike: _like,
    exp.DPipe: _concat,
    exp.Add: _arithmetic,
    exp.Sub: _arithmetic,
    exp.Mul: _arithmetic,
    exp.Div: _arithmetic,
    exp.IntDiv: _arithmetic,
    exp.Mod: _arithmetic,
    exp.Case: _case,
    exp.If: _if,
    exp.Cast: _cast,
    exp.Bracket: _bracket,
    exp.Trim: _text_function,
    exp.Substring: _text_function,
    exp.Overlay: _text_function,
    exp.Extract: _extract,
    exp.StrPosition: _place,
    exp.Interval: _interval,
    exp.Star: _star,
    exp.DataType: _nothing,
    exp.Var: _nothing,
    exp.Subquery: _subquery,
    exp.Select: _subquery,
    exp.Exists: _subquery,
}
