"""Does a table hold the current rows, or every version of them?"""

from __future__ import annotations

from pydantic import Field

from framework.spec.grammar import Name, Spec


class VersionColumns(Spec):
    """Slowly changing dimension type 2: one row per version, valid from one moment until the next."""

    from_: Name = Field(alias="from", description="The column with the moment at which a version begins; part of the dedupe key.")
    until: Name = Field(description="The column that is set: when the next version begins, null for the last.")
    current: Name = Field(description="The column that is set: whether this is the last version.")


class Versions(Spec):
    """Every version is kept; a version whose content repeats the one before it is a duplicate."""

    versions: VersionColumns = Field(description="The columns that say when a version holds.")
