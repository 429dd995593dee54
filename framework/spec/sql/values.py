"""What is known of a value before there is one: its type, when it is null, and which columns it comes from?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from framework.spec.facts import AGGREGATED, DERIVED, SAME, Origin
from framework.spec.sql.types import UNKNOWN, Type

if TYPE_CHECKING:
    from collections.abc import Iterable

_STRENGTH = {SAME: 0, DERIVED: 1, AGGREGATED: 2}

Columns = frozenset[tuple[str, str]]
NEVER: Columns = frozenset()


@dataclass(frozen=True)
class Value:
    """A value of an expression.

    `nulls` holds the input columns of which one must be null for the value to be null: none of them means never; None
    means that it may be null whatever they are.
    """

    type: Type = UNKNOWN
    nulls: Columns | None = None
    origins: frozenset[Origin] = frozenset()
    is_constant: bool = False
    is_aggregated: bool = False
    is_nonzero: bool = False
    is_exact: bool = False
    """Whether the type is the type of a column or a cast, rather than what arithmetic makes of one."""
    literal: str | int | float | bool | None = None

    def through(self, how: str) -> frozenset[Origin]:
        """Return the origins of something made of the value."""
        return frozenset(Origin(o.table, o.column, how if _STRENGTH[how] > _STRENGTH[o.how] else o.how) for o in self.origins)

    def as_type(self, type_: Type) -> Value:
        """Return the value as another type, which may make it null no more than it was."""
        return replace(self, type=type_, is_exact=True, literal=None)


def union_of_nulls(values: Iterable[Value]) -> Columns | None:
    """Return when something is null that is null as soon as one of the values is."""
    found: Columns = NEVER
    for value in values:
        if value.nulls is None:
            return None
        found |= value.nulls
    return found


def made_of(values: Iterable[Value], type_: Type = UNKNOWN, *, how: str = DERIVED, nulls: Columns | None = None) -> Value:
    """Return the value that an expression makes of others."""
    parts = list(values)
    return Value(
        type_,
        nulls,
        frozenset().union(*(part.through(how) for part in parts)),
        is_constant=all(part.is_constant for part in parts),
        is_aggregated=any(part.is_aggregated for part in parts) or how == AGGREGATED,
    )
