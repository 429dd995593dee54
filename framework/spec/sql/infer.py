"""What does an expression give, and what is wrong with it?

One walk over the syntax tree works out a `Value` and reports faults on the way. It holds back where it does not know:
an unknown type is compared with everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from framework.spec.facts import AGGREGATED, DERIVED
from framework.spec.problem import nearest
from framework.spec.sql.functions import FAMILIES, RAISING, UNORDERED, UNSTABLE, functions
from framework.spec.sql.parse import name_of
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
    reads_as,
    type_of,
    wider,
)
from framework.spec.sql.values import NEVER, Value, made_of, union_of_nulls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Scope(Protocol):
    """Where an expression finds its columns."""

    def column(self, node: exp.Column, reading: Reading) -> Value:
        """Return what a column reference gives; reports where it leads nowhere."""

    def query(self, node: exp.Expr, reading: Reading) -> Value:
        """Return what a subquery gives; reports where there may be none."""


class Report(Protocol):
    """Takes the faults of one expression."""

    def __call__(self, code: str, node: exp.Expr, what: str, fix: str) -> None:
        """Take one fault at a node."""


@dataclass
class Reading:
    """One reading of one expression; what may stand in it, and what was met."""

    scope: Scope
    report: Report
    may_aggregate: bool = False
    may_window: bool = False
    bound: dict[str, Value] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    unstable: list[tuple[exp.Expr, str]] = field(default_factory=list)
    is_inside_aggregate: bool = False
    is_sorted: bool = False

    def value(self, node: exp.Expr) -> Value:
        """Return what a node gives."""
        for kind in type(node).__mro__:
            handler = _HANDLERS.get(kind)
            if handler:
                return handler(self, node)
        return made_of(self.values(node))

    def values(self, node: exp.Expr) -> list[Value]:
        """Return what the parts of a node give."""
        return [self.value(part) for part in node.iter_expressions()]

    def condition(self, node: exp.Expr) -> Value:
        """Return what a condition gives; reports where it is not true or false."""
        found = self.value(node)
        if found.type.is_known and found.type.family not in {"boolean", "text"}:
            self.report(
                "type-mismatch", node, f"A condition is expected; this is {_a(found.type)}.", "compare it with something, such as `> 0`."
            )
        return found


def _a(type_: Type) -> str:
    text = str(type_) if len(str(type_)) < 40 else type_.base  # noqa: PLR2004 - what reads well in a sentence
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def shown(node: exp.Expr) -> str:
    """Return a node as SQL, shortened to what fits in a sentence."""
    text = node.sql("databricks", normalize_functions=False, comments=False)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - what reads well in a sentence


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
                f'There is no field "{name.name}": {_a(type_)} has none.',
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
    _wants_numbers(reading, node, [found])
    literal = -found.literal if isinstance(found.literal, int | float) and not isinstance(found.literal, bool) else None
    return Value(found.type, found.nulls, found.through(DERIVED), found.is_constant, found.is_aggregated, found.is_nonzero, literal=literal)


def _logical(reading: Reading, node: exp.Expr) -> Value:
    parts = [reading.condition(part) for part in node.iter_expressions()]
    return made_of(parts, BOOLEAN, nulls=union_of_nulls(parts))


_COMPARED_WITH_NULL = "a comparison with null is never true; write `is null` or `is not null`."


def _comparison(reading: Reading, node: exp.Expr) -> Value:
    left, right = reading.value(node.this), reading.value(node.expression)
    _compare(reading, node, left, right)
    if not isinstance(node, exp.NullSafeEQ) and (isinstance(node.this, exp.Null) or isinstance(node.expression, exp.Null)):
        reading.report("type-mismatch", node, f"`{shown(node)}` is never true.", _COMPARED_WITH_NULL)
    elif node.this == node.expression and not left.is_constant:
        code = "rule-never-fails" if isinstance(node, exp.EQ | exp.NullSafeEQ | exp.GTE | exp.LTE) else "rule-always-fails"
        reading.report(code, node, f"`{shown(node)}` compares a value with itself.", "compare it with what was meant.")
    safe = isinstance(node, exp.NullSafeEQ)
    return made_of([left, right], BOOLEAN, nulls=NEVER if safe else union_of_nulls([left, right]))


def _compare(reading: Reading, node: exp.Expr, left: Value, right: Value) -> None:
    for one, other in ((left, right), (right, left)):
        if one.is_constant and isinstance(one.literal, str) and one.type.base == "string" and other.type.is_known:
            if not reads_text(one.literal, other.type):
                what = f'"{one.literal}" is compared with {_a(other.type)}; it cannot be read as one.'
                reading.report("type-mismatch", node, what, f"write a value that is {_a(other.type)}, or compare as text.")
            return
    fits = reads_as(left.type, right.type)
    if fits is False:
        what = f"{_a(left.type).capitalize()} is compared with {_a(right.type)}; they are never equal."
        reading.report("type-mismatch", node, what, "cast one of them to what was meant.")
    elif fits is None:
        wanted = right.type if left.type.family == "text" else left.type
        reading.report(
            "unsafe-cast",
            node,
            f"Text is compared with {_a(wanted)}: Spark casts the text, and stops at the first that is none.",
            f"write `try_cast(… as {wanted})`; a text that cannot be read is null then.",
        )


def reads_text(text: str, type_: Type) -> bool:
    """Tell whether a text can be read as a type.

    >>> reads_text("2024-02-30", DATE), reads_text(" 7 ", INT)
    (False, True)
    """
    if type_.family == "number":
        try:
            float(text.strip())
        except ValueError:
            return False
        return True
    if type_.family == "time":
        try:
            (date if type_.base == "date" and len(text) <= 10 else datetime).fromisoformat(text.strip().replace("Z", "+00:00"))  # noqa: PLR2004
        except ValueError:
            return bool(re.fullmatch(r"[0-9]{4}(-[0-9]{1,2}){0,2}", text.strip())) and _is_day(text)
        return True
    if type_.family == "boolean":
        return text.strip().lower() in {"true", "false", "t", "f", "y", "n", "yes", "no", "1", "0"}
    return type_.family in {"text", "unknown", "void", "binary", "variant", "interval"}


def _is_day(text: str) -> bool:
    year, month, day = (*(int(part) for part in text.strip().split("-")), 1, 1)[:3]
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _between(reading: Reading, node: exp.Expr) -> Value:
    value, low, high = (reading.value(node.args[part]) for part in ("this", "low", "high"))
    for bound in (low, high):
        _compare(reading, node, value, bound)
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
        _compare(reading, item, value, found)
        parts.append(found)
    return made_of(parts, BOOLEAN, nulls=union_of_nulls(parts))


def _is(reading: Reading, node: exp.Expr) -> Value:
    return made_of([reading.value(node.this)], BOOLEAN, nulls=NEVER)


def _like(reading: Reading, node: exp.Expr) -> Value:
    parts = [reading.value(node.this), reading.value(node.expression)]
    for part in parts:
        if part.type.is_known and part.type.family not in {"text", "binary"}:
            reading.report("type-mismatch", node, f"{_a(part.type).capitalize()} is matched as text.", "match a text, or compare with `=`.")
    pattern = parts[1].literal
    if isinstance(node, exp.RegexpLike) and isinstance(pattern, str):
        _check_pattern(reading, node.expression, pattern)
    return made_of(parts, BOOLEAN, nulls=union_of_nulls(parts))


def _check_pattern(reading: Reading, node: exp.Expr, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        # Java has possessive and atomic forms that an older Python lacks; only what neither can read is told.
        if re.search(r"[*+?}]\+|\(\?>|\\p\{|&&|\\[hHRXQEGzZK]|\(\?<[a-zA-Z]", pattern):
            return
        reading.report("invalid-pattern", node, f"This is not a regular expression: {error}.", "check brackets and backslashes.")


def _concat(reading: Reading, node: exp.Expr) -> Value:
    parts = reading.values(node)
    array = any(part.type.base == "array" for part in parts)
    return made_of(parts, parts[0].type if array else STRING, nulls=union_of_nulls(parts))


def _wants_numbers(reading: Reading, node: exp.Expr, values: Sequence[Value]) -> bool:
    for value in values:
        if value.type.family == "text" and not (isinstance(value.literal, str) and reads_text(value.literal, DOUBLE)):
            reading.report(
                "unsafe-cast",
                node,
                f"`{shown(node)}` calculates with text: Spark casts it, and stops at the first that is no number.",
                "write `try_cast(… as decimal(12,2))` or another number type; a text that cannot be read is null then.",
            )
            return False
        if value.type.is_known and value.type.family not in {"number", "text", "interval"}:
            reading.report("type-mismatch", node, f"`{shown(node)}` calculates with {_a(value.type)}.", "calculate with numbers.")
            return False
    return True


def _arithmetic(reading: Reading, node: exp.Expr) -> Value:
    left, right = reading.value(node.this), reading.value(node.expression)
    families = {left.type.family, right.type.family}
    if "time" in families:
        return _with_time(reading, node, left, right)
    if "interval" in families or not _wants_numbers(reading, node, [left, right]):
        return made_of([left, right])
    if isinstance(node, exp.Div | exp.IntDiv | exp.Mod):
        _divides(reading, node, node.expression, right)
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
    what = f"`{shown(node)}` calculates with {_a(left.type)} and {_a(right.type)}."
    reading.report("type-mismatch", node, what, "use date_add, datediff or an interval.")
    return made_of(parts)


def _divides(reading: Reading, node: exp.Expr, divisor: exp.Expr, value: Value) -> None:
    if value.is_nonzero:
        return
    names = {column.name.lower() for column in divisor.find_all(exp.Column)}
    if names and names <= reading.guarded:
        return
    reading.report(
        "division-by-zero",
        node,
        f"`{shown(divisor)}` may be zero, and a division by zero stops the table.",
        f"write `try_divide(…, {shown(divisor)})`, which gives null then, or `nullif({shown(divisor)}, 0)`.",
    )


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
            _compare(reading, branch.this, subject, found)
            conditions.append(found)
        results.append(reading.value(branch.args["true"]))
    default = node.args.get("default")
    results.append(reading.value(default) if default else Value(VOID, None, is_constant=True))
    reading.guarded = before
    return _one_of(reading, node, results, [*conditions, *([subject] if subject else [])])


def _if(reading: Reading, node: exp.Expr) -> Value:
    condition = reading.condition(node.this)
    before = set(reading.guarded)
    reading.guarded |= {column.name.lower() for column in node.this.find_all(exp.Column)}
    no = node.args.get("false")
    results = [reading.value(node.args["true"]), reading.value(no) if no else Value(VOID, None, is_constant=True)]
    reading.guarded = before
    return _one_of(reading, node, results, [condition])


def _one_of(reading: Reading, node: exp.Expr, results: Sequence[Value], conditions: Sequence[Value] = ()) -> Value:
    type_ = _common(reading, node, results)
    exact = all(value.is_exact or value.is_constant for value in results)
    found = made_of([*results, *conditions], type_, nulls=union_of_nulls(results))
    return Value(found.type, found.nulls, found.origins, found.is_constant, found.is_aggregated, is_exact=exact)


def _common(reading: Reading, node: exp.Expr, values: Sequence[Value]) -> Type:
    type_ = VOID
    for value in values:
        if value.type.base == "unknown" or type_.base == "unknown":
            return UNKNOWN
        fits = reads_as(type_, value.type)
        if fits is False:
            what = f"`{shown(node)}` gives {_a(type_)} or {_a(value.type)}; a column has one type."
            reading.report("type-mismatch", node, what, "cast them to one type.")
            return UNKNOWN
        if fits is None:
            number = value.type if type_.family == "text" else type_
            text = next(one for one in values if one.type.family == "text")
            if not (isinstance(text.literal, str) and reads_text(text.literal, number)):
                what = f"`{shown(node)}` mixes text with {_a(number)}: Spark casts the text, and stops at the first that is none."
                reading.report("unsafe-cast", node, what, f"write `try_cast(… as {number})`, or cast both to string.")
            return UNKNOWN
        type_ = wider(type_, value.type)
    return type_


def _cast(reading: Reading, node: exp.Expr) -> Value:
    given = reading.value(node.this)
    try:
        type_ = type_of(node.args["to"])
    except InvalidTypeError:
        type_ = UNKNOWN
    safe = isinstance(node, exp.TryCast)
    if given.type.is_known and type_.is_known:
        if never_casts(given.type, type_):
            what = f"{_a(given.type).capitalize()} can never become {_a(type_)}."
            reading.report("type-mismatch", node, what, "cast to the type that was meant.")
        elif isinstance(given.literal, str) and not reads_text(given.literal, type_):
            reading.report("type-mismatch", node, f'"{given.literal}" is not {_a(type_)}.', f"write a value that is {_a(type_)}.")
        elif not safe and given.type.family == "text" and type_.family not in {"text", "binary"} and not given.is_constant:
            reading.report(
                "unsafe-cast",
                node,
                f"A cast of text to {_a(type_)} stops the run at the first that cannot be read.",
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
        reading.report("type-mismatch", node, f"There is no {node.this.name.lower()} in {_a(part.type)}.", "extract from a date.")
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
    return _returned(reading, node, name, values)


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
            reading.report("type-mismatch", node, f"`{name}` does not take {_a(value.type)} as its {ordinal} argument.", fix)
    if name in RAISING and values and values[0].type.family == "text" and not values[0].is_constant:
        safe = f"try_{name}" if f"try_{name}" in functions() else "try_cast"
        reading.report(
            "unsafe-cast",
            node,
            f"`{name}` of text stops the run at the first that cannot be read.",
            f"use `{safe}`, or let the column's `type` and `formats` read it.",
        )
    if name in {"mod", "pmod", "div"} and len(values) > 1:
        _divides(reading, node, node.expressions[1], values[1])
    if name in {"rlike", "regexp", "regexp_like", "regexp_replace", "regexp_extract", "regexp_count", "regexp_substr"} and len(values) > 1:
        pattern = values[1].literal
        if isinstance(pattern, str):
            _check_pattern(reading, node.expressions[1], pattern)


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
    reading.is_inside_aggregate = True
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
        _wants_numbers(reading, node, values)
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


def _returned(reading: Reading, node: exp.Expr, name: str, values: Sequence[Value]) -> Value:
    first = values[0] if values else None
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
    found = _one_of(reading, node, values)
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
    found = _one_of(reading, node, values)
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
    return _one_of(reading, node, values[1:], values[:1])


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

_HANDLERS: dict[type, Callable[[Reading, exp.Expr], Value]] = {
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
