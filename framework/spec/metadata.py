"""What do contracts refer to: environments, layers, principals, PII classes, reference data?"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from framework.spec.access import Access, MaskSql, RowFilter
from framework.spec.alerts import Mail, Webhook
from framework.spec.grammar import Name, Spec
from framework.spec.openlineage import EventFile, EventServer

if TYPE_CHECKING:
    from pathlib import Path


class Anywhere(Spec):
    """What every environment says."""

    spark: dict[str, str] = Field(default_factory=dict, description="Spark settings for a session that the command starts.")
    run_tables: bool = Field(
        True, description="Whether runs are also kept as the tables `_runs`, `_tables`, `_files` and `_checks`, for SQL."
    )
    run_days: int = Field(
        400, gt=0, description="How many days runs are kept, in the run log and in the tables of runs; the last run always is."
    )


class Folders(Anywhere):
    """Tables are Delta folders `<warehouse>/<table>`; no server, no catalog."""

    kind: Literal["folders"] = Field(description="Tables are folders.")
    warehouse: str = Field(description="The folder that holds one Delta folder per table.")
    landing: str = Field(description="The folder into which files are delivered.")
    state: str = Field("", description="Where the ledger and the run log are; `<warehouse>/_lakepact` unless said.")

    @property
    def state_folder(self) -> str:
        """Return where the ledger and the run log are."""
        return self.state or f"{self.warehouse}/_lakepact"


class Catalog(Anywhere):
    """Tables are `catalog`.`schema`.`table`; files are in volumes."""

    kind: Literal["catalog"] = Field(description="Tables are in a catalog.")
    catalog: Name = Field(description="The catalog; any name, it is quoted wherever SQL is written.")
    schema_name: Name = Field(alias="schema", description="The schema in the catalog.")
    landing: str = Field(description="The volume folder into which files are delivered.")
    state: str = Field(min_length=1, description="The volume folder for the ledger and the run log.")
    discovery: Literal["list", "auto_loader"] = Field(
        "list",
        description="How files are found: by listing the landing folder, or by Auto Loader, which is told by the storage what came. "
        "The latter is for folders that take long to list, and only on Databricks.",
    )
    change_feed: bool = Field(
        True,
        description="Whether tables keep Delta's change feed; without it, what changed is found by comparing versions.",
    )
    upkeep: Literal["engine", "platform"] = Field(
        "engine",
        description="Who puts files together and removes those of old versions: `lakepact maintain`, or the platform. "
        "A table for which predictive optimization is on is left to the platform in any case.",
    )
    access: Access = Field(default_factory=Access, description="How the catalog is kept to what contracts say of access.")

    @property
    def state_folder(self) -> str:
        """Return where the ledger and the run log are."""
        return self.state


Environment = Annotated[Folders | Catalog, Field(discriminator="kind")]


class Layer(Spec):
    """What a layer is for, and what its contracts need not repeat."""

    description: str = Field(description="What tables of the layer hold.")
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="Keys of a contract, for contracts that lack them; within `files` and `dedupe` only where the contract has those.",
    )


class Principal(Spec):
    """A group or a service principal that contracts grant to."""

    description: str = Field(description="Who they are, and what they need the data for.")
    clearance: list[Name] = Field(default_factory=list, description="The PII classes they may see in clear.")


class PiiClass(Spec):
    """A kind of personal data."""

    description: str = Field(description="What belongs to the class.")
    mask: MaskSql | None = Field(
        None,
        description="What those see in a catalog who are not cleared for the class: SQL over `value`, for columns of text; "
        "columns of other types are null for them. Without it, columns of the class are not masked.",
        examples=["concat('•••', right(value, 3))"],
    )


class Metadata(Spec):
    """All that stands in the metadata folder, but for reference data."""

    environments: dict[Name, Environment]
    layers: dict[Name, Layer]
    principals: dict[Name, Principal]
    pii: dict[Name, PiiClass]
    row_filters: dict[Name, RowFilter]
    alerts: dict[Name, Webhook | Mail]
    openlineage: dict[Name, EventFile | EventServer]


@dataclass(frozen=True)
class Reference:
    """A small table of reference data, kept as CSV text beside the contracts."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(repr=False)

    @property
    def digest(self) -> str:
        """Return a hash of the content, so that a change makes dependent tables stale."""
        return hashlib.sha256(repr((self.columns, self.rows)).encode()).hexdigest()[:16]

    def repeats(self, column: str) -> bool:
        """Tell whether a value stands twice in a column, so that a lookup on it is ambiguous."""
        index = self.columns.index(column)
        values = [row[index] for row in self.rows]
        return len(values) != len(set(values))


def read_reference(path: Path) -> Reference:
    """Return the reference data of a CSV file with a header.

    Raises:
        ValueError: the file is empty, or a row has another number of fields than the header.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header, *rows = [tuple(row) for row in csv.reader(lines) if row] or [()]
    if not header:
        message = "the file is empty; a header line is expected"
        raise ValueError(message)
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            message = f"line {number} has {len(row)} fields, the header has {len(header)}"
            raise ValueError(message)
    return Reference(path.stem, header, tuple(rows))
