"""Who may see what, by the contracts alone: without a workspace, before anything is applied?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework.plan.access.wanted import classes_of, cleared_for, mask_sql

if TYPE_CHECKING:
    from framework.spec.project import Project


@dataclass(frozen=True)
class Right:
    """What a principal may do with a table, and what of it they see."""

    principal: str
    table: str
    privileges: tuple[str, ...]
    granted_at: str
    """File and line of the grant; of the owner's, of `owner`."""
    clear: tuple[str, ...]
    """The columns of personal data that they see in clear."""
    masked: tuple[str, ...]
    rows: str
    """Which rows they see: all, none, or those that hold a condition."""

    @property
    def is_owner(self) -> bool:
        """Tell whether the right is the owner's."""
        return "owner" in self.privileges


def rights(project: Project) -> list[Right]:
    """Return the rights of all principals on all tables, quarantines included."""
    found = []
    for name, table in project.tables.items():
        document = project.contracts[name].document
        for principal in dict.fromkeys((*table.grants, table.owner)):
            privileges = (*(("owner",) if principal == table.owner else ()), *table.grants.get(principal, ()))
            place = document.key(("grants", principal)) if principal in table.grants else document.place(("owner",))
            found.append(_right(project, name, principal, privileges, f"{place.path.relative_to(project.root)}:{place.line}"))
    return found


def _right(project: Project, table: str, principal: str, privileges: tuple[str, ...], granted_at: str) -> Right:
    personal = [column.name for column in project.facts[table].columns.values() if classes_of(project, table, column.name)]
    masked = tuple(name for name in personal if not sees_clear(project, table, name, principal))
    clear = tuple(name for name in personal if name not in masked)
    return Right(principal, table, privileges, granted_at, clear, masked, rows_seen(project, table, principal))


def sees_clear(project: Project, table: str, column: str, principal: str) -> bool:
    """Tell whether a principal sees a column's values as they are."""
    return mask_sql(project, table, column) is None or principal in cleared_for(project, classes_of(project, table, column))


def rows_seen(project: Project, table: str, principal: str) -> str:
    """Return which rows of a table a principal sees: `all`, `none`, or a condition over the table's columns."""
    used = project.tables[table].row_filter
    if used is None:
        return "all"
    return project.metadata.row_filters[used.use].sees.get(principal, "none")
