"""Which steps bring a catalog from what it holds to what contracts say?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from framework.plan.access.steps import (
    ORDER,
    AccessStep,
    DropFilter,
    DropMask,
    Grant,
    MakeTable,
    PutFunction,
    Revoke,
    SetComment,
    SetFilter,
    SetMask,
    SetOwner,
    SetTags,
    TellDrift,
    UnsetTags,
)
from framework.plan.access.wanted import TAGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from framework.plan.access.steps import Level
    from framework.plan.access.wanted import Wanted, WantedTable
    from framework.spec.access import Access

ALL = "ALL_PRIVILEGES"
_OF_DATA = {"SELECT", "MODIFY", ALL, "MANAGE"}
"""Privileges that, given on a schema or a catalog, open all of its tables."""

Grants = dict[str, frozenset[str]]
"""Privileges by principal, as they are given directly."""


@dataclass(frozen=True)
class SeenTable:
    """What a catalog holds of one table; names of columns as the catalog has them."""

    owner: str = ""
    comment: str = ""
    comments: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    column_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    grants: Grants = field(default_factory=dict)
    masks: dict[str, str] = field(default_factory=dict)
    filter: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Seen:
    """What a catalog holds: tables, the comments of functions in the schema, and what is granted above the tables."""

    tables: dict[str, SeenTable] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    schema: Grants = field(default_factory=dict)
    catalog: Grants = field(default_factory=dict)


def differences(wanted: Wanted, seen: Seen, access: Access, principals: Collection[str]) -> tuple[AccessStep, ...]:
    """Return the steps, in the order in which they are safe; drift that is only told stands last.

    `principals` are those that metadata lists: what they have and no contract gives is revoked; of others, as `access` says.
    """
    managed = set(access.manage)
    found: list[AccessStep] = []
    protected = {name for name, one in wanted.tables.items() if ("masks" in managed and one.masks) or ("filters" in managed and one.filter)}
    for name, one in wanted.tables.items():
        there = seen.tables.get(name)
        if there is None and (name not in protected or not one.is_made_by_runs):
            continue  # nobody but who makes it can read it, until the next time
        if there is None:
            found.append(MakeTable(name, "it has masks or a filter, and is not there yet", tuple(one.columns.items()), one.comment))
        found += _of_table(one, there or SeenTable(), managed, access, principals)
    used = {step.function for step in found if isinstance(step, SetMask | SetFilter)}
    used |= {function for one in seen.tables.values() for function in (*one.masks.values(), *(one.filter or ("",))[:1])}
    for name, function in wanted.functions.items():
        if name in used and seen.functions.get(name) != function.comment:
            because = "it says something else now" if name in seen.functions else "a mask or a filter needs it"
            found.append(PutFunction(name, because, function))
    if "grants" in managed:
        found += _above(wanted, seen, access, principals)
    return tuple(sorted(found, key=lambda step: ORDER.index(type(step))))


def _of_table(
    one: WantedTable, there: SeenTable, managed: Collection[str], access: Access, principals: Collection[str]
) -> Iterator[AccessStep]:
    if "filters" in managed:
        yield from _filter(one, there)
    if "masks" in managed:
        yield from _masks(one, there)
    if "tags" in managed:
        seen = {name.lower(): tags for name, tags in there.column_tags.items()}
        yield from _tags(one.name, "", one.tags, there.tags)
        for column in one.columns:
            yield from _tags(one.name, column, one.column_tags.get(column, {}), seen.get(column.lower(), {}))
    if "comments" in managed:
        yield from _comments(one, there)
    if "grants" in managed:
        yield from _grants(one.name, "table", one.grants, there.grants, access, principals)
    if "owners" in managed and one.owner != there.owner:
        yield SetOwner(one.name, f"the contract's owner; it was {there.owner or 'nobody known'}", one.owner)


def _filter(one: WantedTable, there: SeenTable) -> Iterator[AccessStep]:
    if one.filter is None:
        if there.filter is not None:
            yield DropFilter(one.name, "no contract says it")
    elif there.filter is None or (one.filter[0], _lower(one.filter[1])) != (there.filter[0], _lower(there.filter[1])):
        yield SetFilter(one.name, "the contract's row filter", *one.filter)


def _lower(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def _masks(one: WantedTable, there: SeenTable) -> Iterator[AccessStep]:
    seen = {name.lower(): function for name, function in there.masks.items()}
    for column, function in one.masks.items():
        if seen.pop(column.lower(), None) != function:
            yield SetMask(one.name, "it holds personal data", column, function)
    for column in seen:
        yield DropMask(one.name, "no contract says it", column)


def _comments(one: WantedTable, there: SeenTable) -> Iterator[AccessStep]:
    seen = {name.lower(): comment for name, comment in there.comments.items()}
    for column, comment in {"": one.comment, **one.comments}.items():
        if comment != (seen.get(column.lower(), "") if column else there.comment):
            yield SetComment(one.name, "the contract's description", column, comment)


def _tags(name: str, column: str, wanted: Mapping[str, str], seen: Mapping[str, str]) -> Iterator[AccessStep]:
    new = {key: value for key, value in wanted.items() if seen.get(key) != value}
    old = tuple(key for key in TAGS if key in seen and key not in wanted)
    if new:
        yield SetTags(name, "the contract's layer and classes of personal data", column, tuple(new.items()))
    if old:
        yield UnsetTags(name, "no contract says it", column, old)


def _grants(  # noqa: PLR0913, PLR0917 - what is granted, to whom, by which policy
    name: str, level: Level, wanted: Grants, seen: Grants, access: Access, principals: Collection[str]
) -> Iterator[AccessStep]:
    for principal in sorted({*wanted, *seen}):
        if principal in access.unmanaged:
            continue
        given, has = wanted.get(principal, frozenset()), seen.get(principal, frozenset())
        surplus = has - given
        is_taken = principal in principals or principal in wanted or access.strangers == "remove"
        if surplus and not is_taken:
            yield TellDrift(name, "no contract gives it, and metadata does not know who that is", level, principal, _sorted(surplus))
            continue
        if surplus:
            yield Revoke(name, "no contract gives it", level, principal, _sorted(surplus))
        # A catalog does not list what ALL PRIVILEGES covers, and takes it away with it.
        missing = given if ALL in surplus else given - has
        if missing:
            yield Grant(
                name, "the contract's grants" if level == "table" else "they read a table in it", level, principal, _sorted(missing)
            )


def _above(wanted: Wanted, seen: Seen, access: Access, principals: Collection[str]) -> Iterator[AccessStep]:
    """Yield what lets readers get to the tables, and what opens all tables at once though no contract says so.

    Schema and catalog are shared with others: there only what opens tables is looked at, and owners are left alone.
    """
    for level, use, there in (("catalog", "USE_CATALOG", seen.catalog), ("schema", "USE_SCHEMA", seen.schema)):
        lvl: Level = "catalog" if level == "catalog" else "schema"
        for principal in sorted({*wanted.readers, *there}):
            if principal in access.unmanaged:
                continue
            has = there.get(principal, frozenset())
            wide = has & _OF_DATA if principal not in wanted.owners else frozenset()
            is_taken = lvl == "schema" and (principal in principals or access.strangers == "remove")
            if wide and is_taken:
                yield Revoke("", "it opens every table of the schema, and no contract says so", lvl, principal, _sorted(wide))
            elif wide:
                yield TellDrift("", f"it opens every table of the {lvl}, and no contract says so", lvl, principal, _sorted(wide))
            # With ALL PRIVILEGES go those that it covers.
            is_lost = ALL in wide and is_taken
            if principal in wanted.readers and (is_lost or not has & {use, ALL}):
                yield Grant("", "they read a table in it", lvl, principal, (use,))


def _sorted(privileges: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(privileges))
