"""What may be said of a column?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from framework.spec.access import Mask
from framework.spec.checks import ColumnCheck
from framework.spec.formats import Format
from framework.spec.grammar import CodedError, ColumnType, EachOnce, Name, Names, Spec, Sql
from framework.spec.source import Lookup, TableSource
from framework.spec.sql.types import read_type

Method = Literal["count", "hash", "year", "presence", "aggregate", "coarse"]


class Declassified(Spec):
    """Why a column made of personal data is none any more."""

    from_: Names | Name = Field(alias="from", description="The PII class or classes that the column comes from and no longer holds.")
    method: Method = Field(
        description="How it ceased to be personal: `count` of rows, `hash` with a salt, `year` of a date, `presence` or absence, "
        "`aggregate` over many rows, `coarse`: a value that very many people share.",
    )
    reason: str = Field(min_length=10, description="Why nobody can be told from it, for a reviewer.")

    @property
    def classes(self) -> frozenset[str]:
        """Return the classes that the column no longer holds."""
        return frozenset([self.from_] if isinstance(self.from_, str) else self.from_)


class Column(Spec):
    """What every column has in common."""

    name: Name = Field(description="The column's name.")
    description: str | None = Field(None, min_length=1, description="What the column holds, for a reader who does not know the source.")
    pii: Names | Name | None = Field(None, description="The class or classes of personal data (metadata/pii.yml) that the column holds.")
    declassified: Declassified | None = Field(
        None, description="For a column that is made of personal data and holds none: by which method, and why."
    )

    mask: Mask | None = Field(
        None,
        description="What those see who are not cleared, as SQL over `value`, in place of the mask of its class; `false`: no mask.",
    )

    @model_validator(mode="after")
    def _masks_something(self) -> Column:
        if self.mask is not None and not self.pii:
            what = f"{self.name} holds no personal data, so nobody is cleared for it, and the mask would hide it from all."
            raise CodedError("no-effect", what, "name the class of personal data in `pii`, or delete the mask.", at=("mask",))
        return self

    @property
    def pii_classes(self) -> tuple[str, ...]:
        """Return the classes of personal data that the column says it holds."""
        return (self.pii,) if isinstance(self.pii, str) else tuple(self.pii or ())


class FileColumn(Column):
    """A column of a delivered file; kept as text."""

    optional: bool = Field(False, description="Whether a file may come without the column; it is null then.")


class MappedColumn(Column):
    """A column made of one source row."""

    type: ColumnType = Field(
        description="The Spark SQL type; a value that cannot be read as it never stops a run.", examples=["bigint", "decimal(12,2)"]
    )
    expr: Sql | None = Field(
        None,
        description="SQL over the source's columns; a column declared above hides the source's of the same name. "
        "Without it the source's column of the same name is taken.",
    )
    formats: Annotated[list[Format], EachOnce] = Field(
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

    @model_validator(mode="after")
    def _makes_sense(self) -> MappedColumn:
        family = read_type(self.type).family
        if self.formats and family != "time":
            what = f"`formats` says how dates are written; {self.name} is {self.type}."
            raise CodedError("no-effect", what, "delete `formats`, or give the column a type of date or time.", at=("formats",))
        if self.unreadable and family == "text":
            what = f"Every text can be read as {self.type}."
            raise CodedError("no-effect", what, "delete `unreadable`, or give the column the type that it should have.", at=("unreadable",))
        if not self.required:
            return self
        if self.default is not None:
            what = "A required column has no use for a default: a row without the value is refused before."
            raise CodedError("contradiction", what, "keep `required` or `default`.", at=("default",))
        if self.unreadable == "set_null":
            what = "The value is emptied where it cannot be read, and required."
            raise CodedError("contradiction", what, "say `unreadable: quarantine`, or make the column optional.", at=("unreadable",))
        for i, check in enumerate(self.checks):
            if check.otherwise == "set_null":
                what = "The check empties a value that is required."
                raise CodedError(
                    "contradiction", what, "say `otherwise: quarantine`, or make the column optional.", at=("checks", i, "otherwise")
                )
        return self


def expression_of(column: MappedColumn, source: TableSource) -> str | None:
    """Return the SQL that a source has for a column; None where the column of the same name is taken."""
    return source.columns.get(column.name, column.expr)


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
            what = "A column has an `expr` (a key) or a `measure`, not both."
            raise CodedError("contradiction", what, "keep one of them.", at=("measure",))
        return self


class QueryColumn(Column):
    """A column of a table made by an SQL query."""

    type: ColumnType = Field(description="The Spark SQL type that the query's column is cast to.")
