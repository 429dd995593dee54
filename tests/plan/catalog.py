"""A catalog in memory: what the steps of access do to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from framework.plan.access import steps as kinds
from framework.plan.access.differences import ALL, Seen, SeenTable
from framework.plan.access.steps import AccessStep, Grant, MakeTable, PutFunction, Revoke, SetFilter, SetMask, TellDrift

if TYPE_CHECKING:
    from collections.abc import Mapping


def after(seen: Seen, steps: tuple[AccessStep, ...]) -> Seen:
    """Return what a catalog holds after some steps."""
    for step in steps:
        seen = _after(seen, step)
    return seen


def _after(seen: Seen, step: AccessStep) -> Seen:  # noqa: C901, PLR0912 - a case for each kind of step
    there = seen.tables.get(step.name, SeenTable())
    match step:
        case MakeTable():
            new = replace(there, owner="whoever", comment=step.comment)
        case PutFunction():
            return replace(seen, functions=seen.functions | {step.function.name: step.function.comment})
        case SetMask():
            assert step.function in seen.functions, "a mask needs its function"
            masks = {name: one for name, one in there.masks.items() if name.lower() != step.column.lower()}
            new = replace(there, masks=masks | {step.column: step.function})
        case kinds.DropMask():
            new = replace(there, masks={name: one for name, one in there.masks.items() if name.lower() != step.column.lower()})
        case SetFilter():
            assert step.function in seen.functions, "a filter needs its function"
            new = replace(there, filter=(step.function, step.columns))
        case kinds.DropFilter():
            new = replace(there, filter=None)
        case kinds.SetTags() | kinds.UnsetTags():
            new = _tagged(there, step)
        case kinds.SetComment():
            new = (
                replace(there, comments=there.comments | {step.column: step.comment})
                if step.column
                else replace(there, comment=step.comment)
            )
        case kinds.SetOwner():
            new = replace(there, owner=step.owner)
        case Grant() | Revoke():
            if step.level == "schema":
                return replace(seen, schema=_granted(seen.schema, step))
            if step.level == "catalog":
                return replace(seen, catalog=_granted(seen.catalog, step))
            new = replace(there, grants=_granted(there.grants, step))
        case TellDrift():
            return seen
        case _:
            raise NotImplementedError(type(step).__name__)
    return replace(seen, tables=seen.tables | {step.name: new})


def _tagged(there: SeenTable, step: Any) -> SeenTable:
    def changed(tags: Mapping[str, str]) -> dict[str, str]:
        if isinstance(step, kinds.SetTags):
            return dict(tags) | dict(step.tags)
        return {key: value for key, value in tags.items() if key not in step.tags}

    if not step.column:
        return replace(there, tags=changed(there.tags))
    names = {name.lower(): name for name in there.column_tags}
    name = names.get(step.column.lower(), step.column)
    return replace(there, column_tags=there.column_tags | {name: changed(there.column_tags.get(name, {}))})


def _granted(grants: dict[str, frozenset[str]], step: Grant | Revoke) -> dict[str, frozenset[str]]:
    has = grants.get(step.principal, frozenset())
    if isinstance(step, Grant):
        return grants | {step.principal: has | set(step.privileges)}
    # With ALL PRIVILEGES a catalog takes away all that it covers.
    left = frozenset({"MANAGE"} & has) if ALL in step.privileges else has
    return grants | {step.principal: left - set(step.privileges)}
