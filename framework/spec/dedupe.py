"""Which of several rows with one key is kept?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from framework.spec.grammar import CodedError, EachOnce, Names, Spec

_ORDER = re.compile(r"(?P<column>\S.*?)(?:\s+(?P<direction>asc|desc))?", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """One column of an order; nulls come last either way."""

    column: str
    descending: bool


def order(text: str) -> Order:
    """Return what `valid_from desc` says.

    >>> order("valid_from desc"), order("name")
    (Order(column='valid_from', descending=True), Order(column='name', descending=False))
    """
    found = _ORDER.fullmatch(text.strip())
    if found is None:
        message = "an order is a column, and `asc` or `desc`"
        raise ValueError(message)
    return Order(found["column"], (found["direction"] or "").lower() == "desc")


def _is_order(text: str) -> str:
    order(text)
    return text


def _each_column_once(orders: list[str]) -> list[str]:
    columns = [order(text).column.lower() for text in orders]
    for i, column in enumerate(columns):
        if column in columns[:i]:
            what = f'"{order(orders[i]).column}" stands in the order twice.'
            raise CodedError("repeated-item", what, "delete the second; the first has decided.", at=(i,))
    return orders


OrderText = Annotated[str, AfterValidator(_is_order)]
Orders = Annotated[list[OrderText], EachOnce, AfterValidator(_each_column_once)]


class ExactRepeats(Spec):
    """Rows that are equal in every business column of the source are repeats; the first in `tie_break` is kept."""

    exact_repeats: Literal[True] = Field(description="`true`: the key is every column of the source that does not begin with `_`.")
    tie_break: Orders = Field(default_factory=list, description="The order that decides when all else is equal.")


class LatestPerKey(Spec):
    """Of the rows with one key, the first in order is kept; the others are counted as duplicates."""

    key: Names = Field(min_length=1, description="The columns that name a row.")
    latest_by: Orders = Field(default_factory=list, description="The order; the first row wins.", examples=[["valid_from desc"]])
    tie_break: Orders = Field(
        default_factory=list, description="The order that decides when all else is equal: technical columns of the source."
    )
    fill: Names = Field(
        default_factory=list, description="Columns that, null in the winner, take the value of the next row in order that has one."
    )


def _kind(value: Any) -> str:
    found = value if isinstance(value, dict) else getattr(value, "model_fields_set", {})
    return "exact" if "exact_repeats" in found else "latest"


Dedupe = Annotated[Annotated[ExactRepeats, Tag("exact")] | Annotated[LatestPerKey, Tag("latest")], Discriminator(_kind)]
