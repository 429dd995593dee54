"""Which checks may a row be put to, and what happens to a row that breaks one?"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from framework.spec.grammar import CodedError, Name, Otherwise, Spec, Sql


def _pattern(text: str) -> str:
    if text in {"", ".*", "^.*$", "^"}:
        raise CodedError("rule-never-fails", f'"{text}" matches every text.', "write what the text must look like.")
    try:
        re.compile(text)
    except re.error as error:
        what = f"This is not a regular expression: {error}."
        raise CodedError("invalid-pattern", what, "check brackets and backslashes.") from error
    return text


class Check(Spec):
    """What every check has in common; a null passes all of them, absence is the business of `required`."""

    otherwise: Otherwise = Field(
        "quarantine",
        description="What happens to a row that breaks the check: `quarantine` keeps it apart with its reasons, `drop` leaves it "
        "out and counts it, `set_null` empties the value and warns, `warn` counts it, `fail` stops the table.",
    )
    name: Name | None = Field(None, description="The name under which the check is counted and reported.")
    message: str | None = Field(None, min_length=1, description="What a reader of the quarantine is told.")


def _some_values(values: list[str | int | float | bool] | str) -> list[str | int | float | bool] | str:
    if isinstance(values, str):
        if not all(values.rpartition(".")):
            what = f'"{values}" is neither a list nor a column of another table.'
            raise CodedError("invalid-value", what, "write `[a, b]`, `reference.column` or `table.column`.")
        return values
    if not values:
        raise CodedError("rule-always-fails", "No value is in an empty list.", "list the values that are allowed.")
    for i, value in enumerate(values):
        if any(value == other and type(value) is type(other) for other in values[:i]):
            raise CodedError("repeated-item", f'"{value}" stands in the list twice.', "delete one of them.", at=(i,))
    return values


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        what = f"Nothing lies between {bounds[0]:g} and {bounds[1]:g}."
        raise CodedError("rule-always-fails", what, "write the lower bound first.")
    return bounds


class In(Check):
    """The value is one of a list, or stands in a column of reference data or of another table."""

    values: Annotated[list[str | int | float | bool] | str, AfterValidator(_some_values)] = Field(
        alias="in",
        description="A list of values, `reference.column` of metadata/, or `table.column` of another contract.",
        examples=[["new", "open"], "us_states.state"],
    )

    @property
    def target(self) -> tuple[str, str] | None:
        """Return the (table or reference, column) that the values come from, if they do."""
        if isinstance(self.values, str):
            table, _, column = self.values.rpartition(".")
            return table, column
        return None


class Between(Check):
    """The value lies between two bounds, both included."""

    between: Annotated[tuple[float, float], AfterValidator(_ascending)] = Field(
        description="The lowest and the highest value allowed.", strict=False, examples=[[0, 5]]
    )


class AtLeast(Check):
    """The value is not below a bound."""

    at_least: float = Field(description="The lowest value allowed.", examples=[0])


class GreaterThan(Check):
    """The value is above a bound."""

    greater_than: float = Field(description="The value must be greater than this.", examples=[0])


class Matches(Check):
    """The text matches a regular expression somewhere; anchor it to match all of it."""

    matches: Annotated[str, AfterValidator(_pattern)] = Field(description="A regular expression.", examples=["^[0-9]{5}$"])


class Holds(Check):
    """An SQL condition is true; a condition that is null passes."""

    sql: Sql = Field(description="A condition over the table's own columns, and the source's that they do not hide.")


KINDS: dict[str, type[Check]] = {
    "in": In,
    "between": Between,
    "at_least": AtLeast,
    "greater_than": GreaterThan,
    "matches": Matches,
    "sql": Holds,
}


def _kind(value: Any) -> str | None:
    if isinstance(value, Check):
        return next(kind for kind, model in KINDS.items() if isinstance(value, model))
    if isinstance(value, dict):
        return next((kind for kind in KINDS if kind in value), None)
    return None


ColumnCheck = Annotated[
    Annotated[In, Tag("in")]
    | Annotated[Between, Tag("between")]
    | Annotated[AtLeast, Tag("at_least")]
    | Annotated[GreaterThan, Tag("greater_than")]
    | Annotated[Matches, Tag("matches")]
    | Annotated[Holds, Tag("sql")],
    Discriminator(_kind),
]
