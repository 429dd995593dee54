"""What is common to everything that may be written in YAML?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from framework.spec.sql.parse import InvalidSqlError, parsed, parsed_query
from framework.spec.sql.types import InvalidTypeError, read_type

if TYPE_CHECKING:
    from collections.abc import Hashable

Item = TypeVar("Item", bound="Hashable")


class Spec(BaseModel):
    """A frozen piece of a contract; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CodedError(ValueError):
    """A value that breaks a rule of the grammar with a code of its own."""

    def __init__(self, code: str, what: str, fix: str, at: tuple[int | str, ...] = (), span: tuple[int, int] | None = None) -> None:
        """Keep the parts that a Problem needs: `at` is the place below the value, `span` offset and length within its text."""
        self.code, self.what, self.fix, self.at, self.span = code, what, fix, at, span
        super().__init__(what)


def read_sql(text: str, at: tuple[int | str, ...] = ()) -> str:
    """Return a text that is one SQL expression.

    Raises:
        CodedError: it is none.
    """
    try:
        parsed(text)
    except InvalidSqlError as error:
        what = f"This is not an SQL expression: {error}."
        fix = "write one expression in Spark SQL."
        raise CodedError("invalid-expression", what, fix, at=at, span=(error.offset, error.length)) from error
    return text


def _query(text: str) -> str:
    try:
        parsed_query(text)
    except InvalidSqlError as error:
        what = f"This is not an SQL query: {error}."
        fix = "write one SELECT in Spark SQL."
        raise CodedError("invalid-expression", what, fix, span=(error.offset, error.length)) from error
    return text


def _type(text: str) -> str:
    try:
        read_type(text)
    except InvalidTypeError as error:
        raise CodedError(
            "invalid-type",
            f'"{text}" is not a column type.',
            "use a Spark SQL type: string, int, bigint, decimal(12,2), date, timestamp, boolean, array<…>, struct<…>.",
        ) from error
    return text


def _each_once(items: list[Item]) -> list[Item]:
    for i, item in enumerate(items):
        if item in items[:i]:
            what = f'"{item}" stands in the list twice.'
            raise CodedError("repeated-item", what, "delete one of them, or write the one that was meant.", at=(i,))
    return items


EachOnce = AfterValidator(_each_once)
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Sql = Annotated[str, AfterValidator(read_sql)]
Query = Annotated[str, AfterValidator(_query)]
ColumnType = Annotated[str, AfterValidator(_type)]
Names = Annotated[list[Name], EachOnce]
Otherwise = Literal["quarantine", "drop", "set_null", "warn", "fail"]


def as_pairs(value: Any) -> dict[str, str]:
    """Return `[a, b]` as `{a: a, b: b}` and a mapping as it is."""
    if isinstance(value, list):
        return {str(name): str(name) for name in _each_once([str(name) for name in value])}
    if isinstance(value, dict):
        return {str(key): str(name) for key, name in value.items()}
    message = "a list of names or a mapping of names is expected"
    raise ValueError(message)
