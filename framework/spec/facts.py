"""What is known of a table once its contract has been examined? Small and plain, so that it can be kept between runs.

`Outline` is what other contracts need to know of a table; `Facts` is what follows from reading its contract: where each
column comes from, what is read, what must not be null, who may see it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

SAME, DERIVED, AGGREGATED = "same", "derived", "aggregated"
"""How a value comes from a column: as it is, through an expression, or from many rows."""


class Origin(NamedTuple):
    """A column that a value comes from, and how."""

    table: str
    column: str
    how: str = SAME


class Spot(NamedTuple):
    """A place in a file below the project's folder."""

    path: str
    line: int
    column: int
    length: int


class ColumnFacts(NamedTuple):
    """One column: its type, the personal data it says it holds, and where its values come from.

    `nulls` are the input columns of which one must be null for it to be null; None where it may be null anyway.
    """

    name: str
    type: str
    pii: tuple[str, ...]
    declassified: tuple[str, ...]
    nulls: tuple[tuple[str, str], ...] | None
    origins: tuple[Origin, ...]
    spot: Spot
    by: str = ""
    """How the values come about, in the contract's words."""


class Need(NamedTuple):
    """An input column that should not be null, and the warning if it may be."""

    table: str
    column: str
    code: str
    spot: Spot
    what: str
    fix: str


class Outline(NamedTuple):
    """What other contracts need to know of a table."""

    table: str
    layer: str
    columns: dict[str, str]
    """Name and type of the columns that the contract declares."""
    key: tuple[str, ...]
    sources: tuple[str, ...] | None
    """The tables from whose rows the engine carries its own columns over; None where it adds or carries none."""
    technical: dict[str, str]
    nonzero: tuple[str, ...]
    required: tuple[str, ...]


def outline_from(record: list[Any]) -> Outline:
    """Return the outline that was kept as a list."""
    table, layer, columns, key, sources, technical, nonzero, required = record
    return Outline(
        table, layer, columns, tuple(key), None if sources is None else tuple(sources), technical, tuple(nonzero), tuple(required)
    )


@dataclass
class Facts:
    """What follows from one contract."""

    table: str
    layer: str
    kind: str
    spot: Spot
    columns: dict[str, ColumnFacts]
    inputs: dict[str, str]
    reads: set[tuple[str, str]] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    """Own columns that the contract itself has a use for: keys, orders, checks, retention."""
    needs: list[Need] = field(default_factory=list)
    grants: dict[str, Spot] = field(default_factory=dict)
    quarantine: dict[str, Spot] | None = None
    """Who may see the refused rows; None where no row can be refused."""
    owner: str = ""
    masked_for: list[str] = field(default_factory=list)
    """Principals who see masks in place of what they are not cleared for."""
    masks: dict[str, bool] = field(default_factory=dict)
    """Columns that have a mask of their own, or none whatever their class says."""
    accepted: list[tuple[str, str | None, str, Spot, bool]] = field(default_factory=list)
    """Code, column, reason and place of each accepted warning, and whether a layer's default says it."""

    def as_record(self) -> dict[str, Any]:
        """Return the facts as plain lists and mappings."""
        return {
            **self.__dict__,
            "columns": [list(column) for column in self.columns.values()],
            "reads": sorted(self.reads),
            "uses": sorted(self.uses),
        }


def facts_from(record: dict[str, Any]) -> Facts:
    """Return the facts that `as_record` wrote."""
    columns = [
        ColumnFacts(
            name,
            type_,
            tuple(pii),
            tuple(declassified),
            None if nulls is None else tuple((one[0], one[1]) for one in nulls),
            tuple(Origin(*origin) for origin in origins),
            Spot(*spot),
            by,
        )
        for name, type_, pii, declassified, nulls, origins, spot, by in record["columns"]
    ]
    return Facts(
        **{
            **record,
            "spot": Spot(*record["spot"]),
            "columns": {column.name.lower(): column for column in columns},
            "reads": {(table, column) for table, column in record["reads"]},
            "uses": set(record["uses"]),
            "needs": [Need(table, column, code, Spot(*spot), what, fix) for table, column, code, spot, what, fix in record["needs"]],
            "grants": {name: Spot(*spot) for name, spot in record["grants"].items()},
            "quarantine": None if record["quarantine"] is None else {name: Spot(*spot) for name, spot in record["quarantine"].items()},
            "accepted": [(code, column, reason, Spot(*spot), default) for code, column, reason, spot, default in record["accepted"]],
        }
    )
