"""What can be done to a catalog so that it holds what contracts say?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from framework.plan.access.wanted import Function

Level = Literal["table", "schema", "catalog"]


@dataclass(frozen=True)
class AccessStep:
    """Something that is done to a table, or to what it stands in; `name` is empty for the schema and the catalog."""

    name: str
    because: str


@dataclass(frozen=True)
class MakeTable(AccessStep):
    """Make a table, empty, so that masks and filters are there before the first row."""

    columns: tuple[tuple[str, str], ...]
    comment: str


@dataclass(frozen=True)
class PutFunction(AccessStep):
    """Make a function that masks or filters, or put it in place of an older one."""

    function: Function


@dataclass(frozen=True)
class SetMask(AccessStep):
    """Let a function mask a column."""

    column: str
    function: str


@dataclass(frozen=True)
class DropMask(AccessStep):
    """Take a column's mask away."""

    column: str


@dataclass(frozen=True)
class SetFilter(AccessStep):
    """Let a function filter rows."""

    function: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class DropFilter(AccessStep):
    """Take a table's row filter away."""


@dataclass(frozen=True)
class SetTags(AccessStep):
    """Tag a table or a column."""

    column: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class UnsetTags(AccessStep):
    """Take tags away from a table or a column."""

    column: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class SetComment(AccessStep):
    """Say what a table or a column holds."""

    column: str
    comment: str


@dataclass(frozen=True)
class Grant(AccessStep):
    """Give privileges to a principal."""

    level: Level
    principal: str
    privileges: tuple[str, ...]


@dataclass(frozen=True)
class Revoke(AccessStep):
    """Take privileges from a principal."""

    level: Level
    principal: str
    privileges: tuple[str, ...]


@dataclass(frozen=True)
class SetOwner(AccessStep):
    """Let somebody else answer for a table."""

    owner: str


@dataclass(frozen=True)
class TellDrift(AccessStep):
    """Say what no contract says and what is not taken back; changes nothing."""

    level: Level
    principal: str
    privileges: tuple[str, ...]


ORDER = (
    MakeTable,
    PutFunction,
    SetFilter,
    SetMask,
    SetTags,
    UnsetTags,
    SetComment,
    Revoke,
    DropMask,
    DropFilter,
    Grant,
    SetOwner,
    TellDrift,
)
"""Protected before published: masks and filters come before grants; what protects no more goes after what is revoked. The owner
comes last, since who gives a table away may do nothing more to it."""
