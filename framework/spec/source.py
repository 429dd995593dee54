"""Where do a table's rows come from: delivered files, or other tables?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from framework.spec.grammar import CodedError, ColumnType, EachOnce, Name, Names, Spec, Sql, as_pairs


def _some_pairs(pairs: dict[str, str]) -> dict[str, str]:
    if not pairs:
        message = "at least one column is expected"
        raise ValueError(message)
    return pairs


SomePairs = Annotated[dict[str, str], BeforeValidator(as_pairs), AfterValidator(_some_pairs)]
Pairs = Annotated[dict[str, str], BeforeValidator(as_pairs)]


class Csv(Spec):
    """How a delimited text file with a header line is written; a quoted field may hold line breaks."""

    separator: str = Field(",", min_length=1, description="What stands between two fields.", examples=[",", "\t", ";"])
    quote: str = Field('"', max_length=1, description="What encloses a field that holds a separator or a line break.")
    escape: str = Field('"', max_length=1, description="What stands before a quote inside a quoted field.")
    encoding: Literal["UTF-8"] = Field("UTF-8", description="The encoding; a byte order mark is skipped.")

    @model_validator(mode="after")
    def _tell_apart(self) -> Csv:
        if self.separator in {self.quote, self.escape}:
            what = f"The separator and the quote are both `{self.separator}`."
            raise CodedError("contradiction", what, "write the separator that the files have.", at=("separator",))
        return self


def _file_name(pattern: str) -> str:
    if "/" in pattern or "\\" in pattern:
        what = f'"{pattern}" holds a folder.'
        raise CodedError("invalid-value", what, "write the name of files in the landing folder.")
    if not pattern.strip("*?. "):
        what = f'"{pattern}" matches every file.'
        raise CodedError("invalid-value", what, "write a name that only the files of this table have.")
    if pattern.count("[") != pattern.count("]"):
        raise CodedError("invalid-pattern", f'In "{pattern}" a bracket is not closed.', "close it.")
    return pattern


FilePattern = Annotated[str, AfterValidator(_file_name)]


class Files(Spec):
    """Delivered files; each is ingested once, a replaced file is a new delivery."""

    pattern: Annotated[list[FilePattern], EachOnce] = Field(
        min_length=1,
        description="File names in the landing folder; `*`, `?` and `[…]` match as in a shell.",
        examples=[["visits.csv", "visits_*.csv"]],
    )
    format: Literal["csv"] = Field("csv", description="The file format.")
    csv: Csv = Field(default_factory=Csv, description="How the text is written.")
    unknown_columns: Literal["rescue", "fail", "ignore"] = Field(
        "rescue", description="Columns that the contract does not name: kept as JSON in `_rescued`, refuse the file, or left out."
    )


class Json(Spec):
    """A text column that holds JSON, read by a declared type; text that cannot be read becomes null.

    Where an array of objects is declared, one bare object is an array of one.
    """

    type: ColumnType = Field(
        description="The type to read; leaves declared `string` take numbers too.", examples=["array<struct<id: string, qty: string>>"]
    )
    pairs: Names | None = Field(
        None, description="The fields that an array item written as `[value, …]` fills, in order.", examples=[["id", "qty"]]
    )


class Explode(Spec):
    """One row for each item of an array; a row without items yields none."""

    column: Name = Field(description="The array.")
    as_: Name = Field(alias="as", description="The name under which expressions see the item.")
    position: Name | None = Field(None, description="The name under which expressions see the item's place, counted from 1.")


class TableSource(Spec):
    """Rows of another table, and what is done to them before the columns are mapped."""

    table: Name = Field(description="The table whose rows are read.")
    parse_json: dict[Name, Json] = Field(default_factory=dict, description="Text columns that hold JSON, by name.")
    explode: Explode | None = Field(None, description="An array that becomes one row per item.")
    columns: dict[Name, Sql] = Field(
        default_factory=dict, description="Expressions that this source has for the table's columns, in place of their own `expr`."
    )


class Join(Spec):
    """Columns taken from another table, at most one row of it for each row here."""

    table: Name = Field(description="The table, or the reference data, to take columns from.")
    on: SomePairs = Field(description="The columns that must be equal; `{here: there}` where their names differ.")
    take: Pairs = Field(
        default_factory=dict, description="The columns to take; `{name here: name there}` to rename; none where a match is all that counts."
    )
    missing: Literal["keep", "drop"] = Field("keep", description="A row without a match: `keep` it with nulls, or `drop` it and count it.")

    @model_validator(mode="after")
    def _does_something(self) -> Join:
        if not self.take and self.missing == "keep":
            raise CodedError(
                "no-effect", "The join takes nothing and leaves nothing out.", "name columns in `take`, or say `missing: drop`."
            )
        return self


class Lookup(Spec):
    """One value taken from another table or from reference data."""

    table: Name | None = Field(None, description="The table to look in.")
    reference: Name | None = Field(None, description="The reference data (metadata/reference/NAME.csv) to look in.")
    on: SomePairs | Name = Field(description="The columns that must be equal; `{here: there}` where their names differ.")
    take: Name = Field(description="The column that holds the value.")

    @model_validator(mode="after")
    def _one_place(self) -> Lookup:
        if self.table and self.reference:
            raise CodedError("contradiction", "The lookup names a `table` and a `reference`.", "keep one of them.")
        if not self.table and not self.reference:
            raise CodedError("missing-key", "The lookup names no `table` and no `reference`.", "add one of them.")
        return self

    @property
    def target(self) -> str:
        """Return the name of the table or reference that is looked in."""
        return self.table or self.reference or ""

    @property
    def keys(self) -> dict[str, str]:
        """Return the columns that must be equal, as {here: there}."""
        return {self.on: self.on} if isinstance(self.on, str) else self.on


def as_source(value: Any) -> Any:
    """Return the short form `bronze_things` as `{table: bronze_things}`."""
    return {"table": value} if isinstance(value, str) else value
