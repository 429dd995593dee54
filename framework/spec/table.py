"""What is a contract?

One file describes one table. There are four kinds, told apart by where the rows come from: `files`, `source` (or
`sources`), `source` with `group_by`, and `sql`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from framework.spec.access import RowFilterUse, as_row_filter
from framework.spec.checks import Holds, In
from framework.spec.columns import Column, FileColumn, GroupedColumn, MappedColumn, QueryColumn
from framework.spec.dedupe import Dedupe, ExactRepeats, LatestPerKey
from framework.spec.grammar import CodedError, EachOnce, Name, Names, Query, Spec
from framework.spec.history import Versions
from framework.spec.periods import Periods
from framework.spec.quality import QualityRule
from framework.spec.source import Files, Join, TableSource, as_source
from framework.spec.sql.parse import tables_in

Privilege = Literal["select", "modify"]

FILE_TECHNICAL = {
    "_load_id": "string",
    "_load_timestamp": "timestamp",
    "_source_file": "string",
    "_source_modified": "timestamp",
    "_row_number": "bigint",
    "_rescued": "string",
}
"""Columns that the engine adds to every row of a file: which load, when, which file, where in it, what was rescued."""

ROW_PLACE = ("_load_id", "_source_file", "_row_number")
"""The technical columns that tell a delivered row from every other of its table."""

MENDED = '{"_mended":{"at":'
"""How `_rescued` begins in a row that was mended by hand; what was delivered follows."""

RAGGED = "__ragged"
"""A flag beside a file's rows while they are read: the row has too few or too many fields."""

CHANGE = "__change"
"""A number beside rows of a table's change feed: 1 for a row that came, -1 for one that went."""

GOES = "__goes"
"""A flag beside rows in which two states of a table differ: the row goes, or it comes."""

CARRIED = ("_load_id", "_load_timestamp")
"""Technical columns that a mapped table takes over from its source."""


class TimeTravel(Spec):
    """How long what a table was can be read."""

    days: int = Field(gt=0, le=36_500, description="States of the table older than this many days go.")


class Retention(Spec):
    """How long rows are kept, and how long what the table was can be read; `lakepact maintain` removes the rest."""

    days: int | None = Field(None, gt=0, le=36_500, description="Rows older than this many days go.")
    by: Name | None = Field(None, description="The date or timestamp column that tells a row's age; a row without one stays.")
    time_travel: TimeTravel | None = Field(
        None, description="How long earlier states of the table can be read; seven days unless said. No row of today goes by it."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Retention:
        if (self.days is None) != (self.by is None):
            raise CodedError("missing-key", "Rows go by their age: `days` and `by` stand together.", "write {days: 90, by: a_date}.")
        if self.days is None and self.time_travel is None:
            raise CodedError(
                "no-effect", "The retention names no `days` and no `time_travel`.", "add one of them, or delete the retention."
            )
        return self


class Text(Spec):
    """How text of the source is cleansed before it is mapped."""

    trim: bool = Field(True, description="Whether blanks at both ends go.")
    squeeze: bool = Field(True, description="Whether a run of blanks or line breaks becomes one blank.")
    nulls: list[str] = Field(default_factory=lambda: [""], description="Spellings that mean: no value.")


class Accepted(Spec):
    """A warning that is known and meant."""

    warning: Name = Field(description="The code of the warning.", examples=["lossy-cast"])
    column: Name | None = Field(None, description="The column that it is about; all of the table's unless said.")
    reason: str = Field(min_length=10, description="Why it is as it should be, for a reviewer.")


Privileges = Annotated[list[Privilege], Field(min_length=1), EachOnce]


class Limit(Spec):
    """How many rows may be refused before the table is: nothing is published then, and the table stays as it was."""

    rows: int | None = Field(None, ge=0, description="At most this many rows.", examples=[100])
    share: float | None = Field(None, ge=0, lt=1, description="At most this share of the rows that were read.", examples=[0.05])

    @model_validator(mode="after")
    def _says_something(self) -> Limit:
        if self.rows is None and self.share is None:
            raise CodedError("no-effect", "The limit names no `rows` and no `share`.", "add one of them, or delete the limit.")
        return self

    def broken_by(self, rows: int, read: int) -> bool:
        """Tell whether too many rows were refused.

        >>> Limit(share=0.05).broken_by(6, 100), Limit(rows=10).broken_by(10, 10)
        (True, False)
        """
        return (self.rows is not None and rows > self.rows) or (self.share is not None and rows > self.share * read)


class Quarantine(Spec):
    """Who may see the rows that were refused, with all that their source holds, and how many there may be."""

    grants: dict[Name, Privileges] = Field(default_factory=dict, description="Who may do what with the quarantine; the owner may all.")
    limit: Limit | None = Field(None, description="How many rows may be refused, whatever the rule.")
    by_rule: dict[Name, Limit] = Field(default_factory=dict, description="How many rows a rule may refuse, by the rule's name.")


class Table(Spec):
    """What every contract says."""

    table: Name = Field(description="The table's name.")
    layer: Name = Field(description="The layer that the table belongs to: bronze, silver or gold.")
    description: str = Field(min_length=1, description="What one row is, for a reader who does not know the product.")
    owner: Name = Field(description="The principal who answers for the table.")
    quality: Annotated[list[QualityRule], EachOnce] = Field(
        default_factory=list, description="Checks on the whole table, made when it was written."
    )
    grants: dict[Name, Privileges] = Field(default_factory=dict, description="Who may do what.")
    masked_for: Names = Field(
        default_factory=list,
        description="Principals who may read the table though they are not cleared for all of it: in a catalog they see masks. "
        "Folders have no masks.",
    )
    row_filter: Annotated[RowFilterUse, BeforeValidator(as_row_filter)] | None = Field(
        None, description="The filter of metadata/row_filters.yml that decides which rows a principal sees in a catalog."
    )
    retention: Retention | None = Field(None, description="How long rows are kept, and earlier states of the table.")
    cluster_by: Names = Field(
        default_factory=list, max_length=4, description="Columns that queries filter by; rows that are alike in them are kept together."
    )
    accepted: list[Accepted] = Field(default_factory=list, description="Warnings of `validate` that are known and meant.")

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Return the declared columns, whatever the kind."""
        columns: tuple[Column, ...] = tuple(getattr(self, "columns"))  # noqa: B009 - each kind declares its own list
        return columns

    @property
    def inputs(self) -> dict[str, str]:
        """Return the names this table reads, each with what for; some are reference data."""
        return {}

    @property
    def column_names(self) -> tuple[str, ...]:
        """Return the names of the columns that a reader of the table sees, the engine's own left out."""
        return tuple(column.name for column in self.all_columns)

    @property
    def unique_key(self) -> frozenset[str]:
        """Return columns that name one row at most; empty where nothing says so."""
        return frozenset()


def _leave_out(checks: list[Holds]) -> list[Holds]:
    for i, check in enumerate(checks):
        if check.otherwise not in {"drop", "warn", "fail"}:
            what = f"`otherwise: {check.otherwise}` has no meaning for rows that are the engine's own."
            raise CodedError("invalid-value", what, "say `drop`, `warn` or `fail`.", at=(i, "otherwise"))
    return checks


def _whole_rows(checks: list[Holds]) -> list[Holds]:
    for i, check in enumerate(checks):
        if check.otherwise == "set_null":
            what = "`otherwise: set_null` needs a column."
            raise CodedError("invalid-value", what, "write the check at the column, or quarantine the row.", at=(i, "otherwise"))
    return checks


RowChecks = Annotated[list[Holds], AfterValidator(_whole_rows)]
ResultChecks = Annotated[list[Holds], AfterValidator(_leave_out)]


class FileTable(Table):
    """Delivered rows, once each, as text."""

    files: Files = Field(description="Which files are delivered, and how they are written.")
    columns: list[FileColumn] = Field(min_length=1, description="The columns of the files.")


class DerivedTable(Table):
    """A table made of other tables."""

    refresh: Literal["changes", "full"] = Field(
        "changes", description="Whether a run works out the parts that changes of the inputs touch, or each time the whole table."
    )


class MappedTable(DerivedTable):
    """Rows of one or several tables, cleansed, typed, checked and deduplicated."""

    source: Annotated[TableSource, BeforeValidator(as_source)] | None = Field(None, description="The table whose rows are read.")
    sources: list[TableSource] = Field(default_factory=list, description="Several tables whose rows come together.")
    text: Text | None = Field(None, description="How text of the source is cleansed.")
    joins: list[Join] = Field(default_factory=list, description="Columns taken from other tables before the mapping.")
    columns: list[MappedColumn] = Field(min_length=1, description="The table's columns, in order.")
    checks: RowChecks = Field(default_factory=list, description="Conditions on whole rows.")
    dedupe: Dedupe | None = Field(None, description="Which of several rows with one key is kept.")
    history: Literal["current"] | Versions = Field(
        "current", description="`current` keeps one row per key; `versions` keeps every version of it."
    )

    quarantine: Quarantine = Field(default_factory=Quarantine, description="Who may see the rows that were refused.")

    @model_validator(mode="after")
    def _one_source(self) -> MappedTable:
        if self.source and self.sources:
            raise CodedError(
                "contradiction", "A table has a `source` or several `sources`, not both.", "keep one of them.", at=("sources",)
            )
        if not self.source and not self.sources:
            what = "Nothing says where the rows come from."
            raise CodedError("missing-key", what, "add `files:`, `source:`, `sources:` or `sql:`.")
        if isinstance(self.history, Versions) and not isinstance(self.dedupe, LatestPerKey):
            what = "`history: versions` needs a `dedupe` with a key that holds the moment a version begins."
            raise CodedError("contradiction", what, "add `dedupe: {key: […]}`, or say `history: current`.", at=("history",))
        if isinstance(self.history, Versions) and {name.lower() for name in self.unique_key} <= {self.history.versions.from_.lower()}:
            what = "The key holds nothing but the moment at which a version begins: versions of what?"
            raise CodedError("contradiction", what, "add what names the thing, such as its number, to the key.", at=("dedupe", "key"))
        if isinstance(self.dedupe, ExactRepeats) and self.sources:
            what = "`exact_repeats` compares the columns of one `source`; there are several."
            raise CodedError("contradiction", what, "name a `key`.", at=("dedupe", "exact_repeats"))
        return self

    @property
    def all_sources(self) -> tuple[TableSource, ...]:
        """Return the source or the sources."""
        return (self.source,) if self.source else tuple(self.sources)

    @property
    def inputs(self) -> dict[str, str]:
        """Return sources, joins, lookups and `in` checks."""
        found = {join.table: "join" for join in self.joins}
        for column in self.columns:
            if column.lookup:
                found[column.lookup.target] = "lookup"
            found |= {check.target[0]: "check" for check in column.checks if isinstance(check, In) and check.target}
        return found | {source.table: "source" for source in self.all_sources}

    @property
    def column_names(self) -> tuple[str, ...]:
        """Return the declared columns and those of the versions."""
        added = (self.history.versions.until, self.history.versions.current) if isinstance(self.history, Versions) else ()
        return tuple(dict.fromkeys((*super().column_names, *added)))

    @property
    def unique_key(self) -> frozenset[str]:
        """Return the dedupe key."""
        return frozenset(self.dedupe.key) if isinstance(self.dedupe, LatestPerKey) else frozenset()


class GroupedTable(DerivedTable):
    """Rows of a table gathered into groups, with measures over each."""

    source: Name = Field(description="The table whose rows are gathered.")
    joins: list[Join] = Field(default_factory=list, description="Columns taken from other tables.")
    checks: ResultChecks = Field(default_factory=list, description="Conditions that a row must hold to be gathered.")
    periods: Periods | None = Field(None, description="Gather by period: adds `period_type` and `period_start`.")
    group_by: Names = Field(min_length=1, description="The columns that name a group.")
    columns: list[GroupedColumn] = Field(min_length=1, description="The table's columns: keys and measures.")

    @property
    def inputs(self) -> dict[str, str]:
        """Return the source and the joined tables."""
        return {join.table: "join" for join in self.joins} | {self.source: "source"}

    @property
    def unique_key(self) -> frozenset[str]:
        """Return the group's columns."""
        return frozenset(self.group_by)


class QueryTable(DerivedTable):
    """Rows of an SQL query."""

    sql: Query = Field(description="One SELECT over other tables, named as in their contracts.")
    key: Names = Field(default_factory=list, description="The columns that name one row of the result.")
    columns: list[QueryColumn] = Field(min_length=1, description="The table's columns, in order.")
    checks: ResultChecks = Field(default_factory=list, description="Conditions on whole rows of the result.")

    @property
    def inputs(self) -> dict[str, str]:
        """Return the tables that the query reads."""
        return dict.fromkeys(sorted(tables_in(self.sql)), "query")

    @property
    def unique_key(self) -> frozenset[str]:
        """Return the declared key."""
        return frozenset(self.key)


def kind_of(contract: dict[str, Any]) -> type[Table]:
    """Return the model for what a contract says of its rows."""
    if "files" in contract:
        return FileTable
    if "sql" in contract:
        return QueryTable
    return GroupedTable if "group_by" in contract else MappedTable
