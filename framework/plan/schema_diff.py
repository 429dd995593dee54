"""What does a changed contract do to the columns of a table that is there, and can a reader lose something by it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework.spec.sql.types import InvalidTypeError, read_type, wider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Change:
    """One column that comes, goes, or becomes another type."""

    column: str
    what: str
    is_destructive: bool


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    """Yield what becomes of the columns; `before` and `now` are types by name.

    >>> [one.what for one in changes({"a": "int", "b": "string"}, {"a": "bigint", "c": "date"})]
    ['a widens from int to bigint', 'b goes', 'c comes']
    """
    there = {name.lower(): (name, type_) for name, type_ in now.items()}
    known = {name.lower() for name in before}
    for name, type_ in before.items():
        if name.lower() not in there:
            yield Change(name, f"{name} goes", is_destructive=True)
            continue
        new = there[name.lower()][1]
        if not _same(type_, new):
            widens = _widens(type_, new)
            what = f"{name} widens from {type_} to {new}" if widens else f"{name} becomes {new}, and was {type_}"
            yield Change(name, what, is_destructive=not widens)
    for key, (name, _) in there.items():
        if key not in known:
            yield Change(name, f"{name} comes", is_destructive=False)


def _same(one: str, other: str) -> bool:
    try:
        return read_type(one) == read_type(other)
    except InvalidTypeError:
        return one == other


def _widens(before: str, now: str) -> bool:
    """Tell whether every value of one type is a value of the other."""
    try:
        given, wanted = read_type(before), read_type(now)
    except InvalidTypeError:
        return False
    if {given.base, wanted.base} & {"double", "float"} and given.base == "decimal":
        return False
    return given.family == wanted.family == "number" and wider(given, wanted) == wanted
