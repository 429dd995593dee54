"""Which checks may a row be put to, and what happens to a row that breaks one?"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from framework.spec.grammar import CodedError, Name, Otherwise, Spec, Sql


def _pattern(text: str) -> str:
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
    message: str | None = Field(None, description="What a reader of the quarantine is told.")


class In(Check):
    """The value is one of a list, or stands in a column of reference data or of another table."""

    values: list[str | int] | str = Field(
        alias="in", description="A list of values, `reference.column` of metadata/, or `table.column` of another contract."
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

    between: tuple[float, float] = Field(description="The lowest and the highest value allowed.", strict=False)


class AtLeast(Check):
    """The value is not below a bound."""

    at_least: float = Field(description="The lowest value allowed.", strict=False)


class GreaterThan(Check):
    """The value is above a bound."""

    greater_than: float = Field(description="The value must be greater than this.", strict=False)


class Matches(Check):
    """The text matches a regular expression somewhere; anchor it to match all of it."""

    matches: Annotated[str, AfterValidator(_pattern)] = Field(description="A regular expression.")


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
