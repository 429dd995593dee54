"""What may a contract refer to: the outlines of other tables, reference data, principals, layers, PII classes?"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from framework.spec.facts import Outline
from framework.spec.sql.types import STRING, Type, read_type
from framework.spec.table import CARRIED, FILE_TECHNICAL, FileTable, GroupedTable, MappedTable, QueryTable, Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from framework.spec.metadata import Metadata, Reference


def outline_of(table: Table) -> Outline:
    """Return what other contracts need to know of a table."""
    columns: dict[str, str] = {}
    nonzero, required = [], []
    sources = None
    technical: dict[str, str] = {}
    match table:
        case FileTable():
            columns = dict.fromkeys(table.column_names, "string")
            technical = FILE_TECHNICAL
        case MappedTable():
            columns = _mapped_columns(table)
            sources = tuple(source.table for source in table.all_sources)
            nonzero = [column.name for column in table.columns if is_nonzero(column.checks)]
            required = [column.name for column in table.columns if column.required]
        case GroupedTable() | QueryTable():
            columns = {column.name: column.type for column in table.columns}
    return Outline(
        table.table, table.layer, columns, tuple(sorted(table.unique_key)), sources, dict(technical), tuple(nonzero), tuple(required)
    )


def _mapped_columns(table: MappedTable) -> dict[str, str]:
    columns = {column.name: column.type for column in table.columns}
    if isinstance(table.history, str):
        return columns
    names = table.history.versions
    return {**columns, names.until: columns.get(names.until, columns.get(names.from_, "timestamp")), names.current: "boolean"}


def is_nonzero(checks: object) -> bool:
    """Tell whether a column's checks keep zero out."""
    for check in checks if isinstance(checks, list) else []:
        if check.otherwise == "warn":
            continue
        greater, least, between = (getattr(check, name, None) for name in ("greater_than", "at_least", "between"))
        if (greater is not None and greater >= 0) or (least is not None and least > 0) or (between is not None and between[0] > 0):
            return True
    return False


@dataclass(frozen=True)
class Around:
    """What one contract's names may lead to."""

    root: Path
    outlines: Mapping[str, Outline]
    references: Mapping[str, Reference]
    metadata: Metadata
    broken: frozenset[str] = frozenset()
    """Tables whose contracts could not be read; what is said of them is left alone."""
    _columns: dict[str, dict[str, Type]] = field(default_factory=dict, repr=False)

    def columns(self, name: str) -> dict[str, Type] | None:
        """Return the columns that may be read of a table or reference, the engine's own included; None where it is not known."""
        if name not in self._columns:
            found = self.visible(name)
            if found is None:
                return None
            self._columns[name] = {column: read_type(type_) for column, type_ in found.items()}
        return self._columns[name]

    def visible(self, name: str, asking: frozenset[str] = frozenset()) -> dict[str, str] | None:
        """Return names and types of the columns that may be read of a table or reference."""
        if name in self.references and name not in self.outlines:
            return dict.fromkeys(self.references[name].columns, str(STRING))
        outline = self.outlines.get(name)
        if outline is None or name in asking:
            return None
        carried: dict[str, str] = {}
        if outline.sources:
            # Of a source that is not known nothing is said, so neither of what would be carried over from it.
            below = [self.visible(source, asking | {name}) or FILE_TECHNICAL for source in outline.sources]
            carried = {column: FILE_TECHNICAL[column] for column in CARRIED if all(column in one for one in below)}
        return {**outline.technical, **carried, **outline.columns}

    def keys(self, name: str) -> tuple[frozenset[str], ...]:
        """Return sets of columns of which each names one row at most; none where nothing says so."""
        if name in self.outlines:
            key = frozenset(self.outlines[name].key)
            return (key,) if key else ()
        reference = self.references[name]
        return tuple(frozenset({column}) for column in reference.columns if not reference.repeats(column))

    def type_of(self, name: str, column: str) -> Type:
        """Return the type of a column that `columns` has, whatever the case of its name."""
        return next(type_ for one, type_ in (self.columns(name) or {}).items() if one.lower() == column.lower())

    @cached_property
    def names(self) -> frozenset[str]:
        """Return everything that may be named as an input."""
        return frozenset({*self.outlines, *self.references})
