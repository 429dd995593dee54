"""What does a check mean for a value?"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.checks import AtLeast, Between, Check, GreaterThan, Holds, In, Matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import Column

    from framework.spec.rules import Rule


def broken_conditions(rules: Iterable[Rule]) -> dict[str, Column]:
    """Return the flags of the rules that are SQL conditions; they speak of columns that stand already."""
    return {rule.flag: false_if_null(failing(rule.check, F.lit(None), None)) for rule in rules if isinstance(rule.check, Holds)}


def false_if_null(flag: Column) -> Column:
    """Return a flag that is never null: what cannot be decided is not broken."""
    return F.coalesce(flag, F.lit(False))


@singledispatch
def failing(check: Check, value: Column, found: Column | None) -> Column:
    """Return a Column that is true where `value` breaks `check`; null passes, so the Column may be null.

    `found` is what a join brought for an `in` that names a table: null where nothing matched.
    """
    raise NotImplementedError(type(check).__name__)


@failing.register(In)
def _in(check: In, value: Column, found: Column | None) -> Column:
    if found is not None:
        return value.isNotNull() & found.isNull()
    return ~value.isin(list(check.values))


@failing.register(Between)
def _between(check: Between, value: Column, found: Column | None) -> Column:  # noqa: ARG001
    return ~value.between(*check.between)


@failing.register(AtLeast)
def _at_least(check: AtLeast, value: Column, found: Column | None) -> Column:  # noqa: ARG001
    return value < check.at_least


@failing.register(GreaterThan)
def _greater_than(check: GreaterThan, value: Column, found: Column | None) -> Column:  # noqa: ARG001
    return value <= check.greater_than


@failing.register(Matches)
def _matches(check: Matches, value: Column, found: Column | None) -> Column:  # noqa: ARG001
    return ~value.rlike(check.matches)


@failing.register(Holds)
def _holds(check: Holds, value: Column, found: Column | None) -> Column:  # noqa: ARG001
    return ~F.expr(check.sql)
