"""What may be said of a column?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from framework.spec.checks import ColumnCheck
from framework.spec.grammar import ColumnType, Name, Spec, Sql
from framework.spec.source import Lookup


class Column(Spec):
    """What every column has in common."""

    name: Name = Field(description="The column's name.")
    description: str | None = Field(None, description="What the column holds, for a reader who does not know the source.")
    pii: Name | None = Field(None, description="The class of personal data (metadata/pii.yml) that the column holds.")


class FileColumn(Column):
    """A column of a delivered file; kept as text."""

    optional: bool = Field(False, description="Whether a file may come without the column; it is null then.")


class MappedColumn(Column):
    """A column made of one source row."""

    type: ColumnType = Field(description="The Spark SQL type; a value that cannot be read as it never stops a run.")
    expr: Sql | None = Field(
        None,
        description="SQL over the source's columns; a column declared above hides the source's of the same name. "
        "Without it the source's column of the same name is taken.",
    )
    formats: list[str] = Field(
        default_factory=list,
        description="How a date or timestamp may be written: `unix_seconds`, `iso8601`, or a Spark pattern such as `yyyy-MM-dd`; "
        "the first that fits is taken. Without a zone it is UTC.",
    )
    required: bool | Literal["drop", "fail"] = Field(
        False, description="Whether a row needs the value: `true` quarantines a row without it, `drop` and `fail` as in checks."
    )
    unreadable: Literal["quarantine", "drop", "set_null", "fail"] | None = Field(
        None,
        description="A value that is there but cannot be read as the type: null and a warning, unless said; "
        "for a required column as `required` says.",
    )
    default: str | int | float | bool | None = Field(None, description="The value where there is none, after all else.")
    lookup: Lookup | None = Field(None, description="Where to find the value; with `expr`, only where the expression gives null.")
    checks: list[ColumnCheck] = Field(default_factory=list, description="What the value must hold to.")


class GroupedColumn(Column):
    """A column of a table with `group_by`: a key, or a measure over the rows of a group."""

    type: ColumnType = Field(description="The Spark SQL type.")
    expr: Sql | None = Field(None, description="For a key: SQL over one input row.")
    measure: Sql | None = Field(
        None, description="SQL over the rows of a group, such as `sum(amount)`; without an aggregate, SQL over the measures above."
    )

    @model_validator(mode="after")
    def _key_or_measure(self) -> GroupedColumn:
        if self.expr and self.measure:
            message = "a column has an `expr` (a key) or a `measure`, not both"
            raise ValueError(message)
        return self


class QueryColumn(Column):
    """A column of a table made by an SQL query."""

    type: ColumnType = Field(description="The Spark SQL type that the query's column is cast to.")
