"""Which values go together: in a comparison, a calculation, a choice between several?"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlglot import exp

from framework.spec.sql.types import DOUBLE, UNKNOWN, VOID, Type, reads_as, wider
from framework.spec.sql.values import Value, made_of, union_of_nulls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework.spec.sql.infer import Reading


def a_kind(type_: Type) -> str:
    """Return a type with its article, as it reads in a sentence."""
    text = str(type_) if len(str(type_)) < 40 else type_.base  # noqa: PLR2004 - what reads well in a sentence
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def shown(node: exp.Expr) -> str:
    """Return a node as SQL, shortened to what fits in a sentence."""
    text = node.sql("databricks", normalize_functions=False, comments=False)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - what reads well in a sentence


def compare(reading: Reading, node: exp.Expr, left: Value, right: Value) -> None:
    """Report where two values are never equal, or only after a cast that may stop a run."""
    for one, other in ((left, right), (right, left)):
        if one.is_constant and isinstance(one.literal, str) and one.type.base == "string" and other.type.is_known:
            if not reads_text(one.literal, other.type):
                what = f'"{one.literal}" is compared with {a_kind(other.type)}; it cannot be read as one.'
                reading.report("type-mismatch", node, what, f"write a value that is {a_kind(other.type)}, or compare as text.")
            return
    fits = reads_as(left.type, right.type)
    if fits is False:
        what = f"{a_kind(left.type).capitalize()} is compared with {a_kind(right.type)}; they are never equal."
        reading.report("type-mismatch", node, what, "cast one of them to what was meant.")
    elif fits is None:
        wanted = right.type if left.type.family == "text" else left.type
        reading.report(
            "unsafe-cast",
            node,
            f"Text is compared with {a_kind(wanted)}: Spark casts the text, and stops at the first that is none.",
            f"write `try_cast(… as {wanted})`; a text that cannot be read is null then.",
        )


def reads_text(text: str, type_: Type) -> bool:
    """Tell whether a text can be read as a type.

    >>> reads_text("2024-02-30", Type("date")), reads_text(" 7 ", Type("int"))
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


def check_pattern(reading: Reading, node: exp.Expr, pattern: str) -> None:
    """Report a regular expression that cannot be compiled."""
    try:
        re.compile(pattern)
    except re.error as error:
        # Java has possessive and atomic forms that an older Python lacks; only what neither can read is told.
        if re.search(r"[*+?}]\+|\(\?>|\\p\{|&&|\\[hHRXQEGzZK]|\(\?<[a-zA-Z]", pattern):
            return
        reading.report("invalid-pattern", node, f"This is not a regular expression: {error}.", "check brackets and backslashes.")


def wants_numbers(reading: Reading, node: exp.Expr, values: Sequence[Value]) -> bool:
    """Report values that cannot be calculated with; tell whether there is none."""
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
            reading.report("type-mismatch", node, f"`{shown(node)}` calculates with {a_kind(value.type)}.", "calculate with numbers.")
            return False
    return True


def divides(reading: Reading, node: exp.Expr, divisor: exp.Expr, value: Value) -> None:
    """Report a divisor that may be zero."""
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


def one_of(reading: Reading, node: exp.Expr, results: Sequence[Value], conditions: Sequence[Value] = ()) -> Value:
    """Return the value of a choice between several; reports where they have no type in common."""
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
            what = f"`{shown(node)}` gives {a_kind(type_)} or {a_kind(value.type)}; a column has one type."
            reading.report("type-mismatch", node, what, "cast them to one type.")
            return UNKNOWN
        if fits is None:
            number = value.type if type_.family == "text" else type_
            text = next(one for one in values if one.type.family == "text")
            if not (isinstance(text.literal, str) and reads_text(text.literal, number)):
                what = f"`{shown(node)}` mixes text with {a_kind(number)}: Spark casts the text, and stops at the first that is none."
                reading.report("unsafe-cast", node, what, f"write `try_cast(… as {number})`, or cast both to string.")
            return UNKNOWN
        type_ = wider(type_, value.type)
    return type_
