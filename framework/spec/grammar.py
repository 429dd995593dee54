"""What is common to everything that may be written in YAML?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from framework.spec.expression import InvalidSqlError, is_type, parsed, tables_in


class Spec(BaseModel):
    """A frozen piece of a contract; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CodedError(ValueError):
    """A value that breaks a rule of the grammar with a code of its own."""

    def __init__(self, code: str, what: str, fix: str) -> None:
        """Keep the parts that a Problem needs."""
        self.code, self.what, self.fix = code, what, fix
        super().__init__(what)


def _sql(text: str) -> str:
    try:
        parsed(text)
    except InvalidSqlError as error:
        what = f"This is not an SQL expression: {error}."
        raise CodedError("invalid-expression", what, "write one expression in Spark SQL.") from error
    return text


def _query(text: str) -> str:
    try:
        tables_in(text)
    except InvalidSqlError as error:
        what = f"This is not an SQL query: {error}."
        raise CodedError("invalid-expression", what, "write one SELECT in Spark SQL.") from error
    return text


def _type(text: str) -> str:
    if not is_type(text):
        raise CodedError(
            "invalid-type",
            f'"{text}" is not a column type.',
            "use a Spark SQL type: string, int, bigint, decimal(12,2), date, timestamp, boolean, array<…>, struct<…>.",
        )
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Sql = Annotated[str, AfterValidator(_sql)]
Query = Annotated[str, AfterValidator(_query)]
ColumnType = Annotated[str, AfterValidator(_type)]
Otherwise = Literal["quarantine", "drop", "set_null", "warn", "fail"]


def as_pairs(value: Any) -> dict[str, str]:
    """Return `[a, b]` as `{a: a, b: b}` and a mapping as it is."""
    if isinstance(value, list):
        return {str(name): str(name) for name in value}
    if isinstance(value, dict):
        return {str(key): str(name) for key, name in value.items()}
    message = "a list of names or a mapping of names is expected"
    raise ValueError(message)
