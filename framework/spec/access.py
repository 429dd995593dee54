"""What may be said of who sees what: masks, row filters, and how a catalog is kept to it?"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator
from sqlglot import exp

from framework.spec.grammar import CodedError, ColumnType, EachOnce, Name, Names, Spec, read_sql
from framework.spec.problem import did_you_mean
from framework.spec.source import Pairs
from framework.spec.sql.functions import UNSTABLE, functions, is_aggregate
from framework.spec.sql.parse import columns_in, name_of, parsed

VALUE = "value"
"""The name under which a mask sees the value of its column."""

Part = Literal["grants", "owners", "comments", "tags", "masks", "filters"]
PARTS: tuple[Part, ...] = get_args(Part)


def check_policy(sql: str, known: tuple[str, ...], at: tuple[str, ...] = ()) -> None:
    """Check that a catalog can ask an expression for every row, also while rows are merged.

    Raises:
        CodedError: it reads what it cannot see, or gathers, asks a query, or answers otherwise each time.
    """
    for name in sorted(columns_in(sql)):
        if name not in known:
            what = f'"{name}" cannot be seen from here.'
            raise CodedError("unknown-column", what, did_you_mean(name, known), at=at)
    for node in parsed(sql).walk():
        function = name_of(node)
        if isinstance(node, exp.Query | exp.Window) or (function and is_aggregate(function)):
            what = "A mask or a filter is asked for each row alone; it holds a query, a window or an aggregate."
            raise CodedError("misplaced-function", what, "write an expression over the one row.", at=at)
        if function and function not in functions():
            raise CodedError("unknown-function", f"There is no function `{function}`.", did_you_mean(function, functions()), at=at)
        if function in UNSTABLE:
            what = f"`{function}` answers otherwise each time, and rows cannot be merged into a table with such a mask or filter."
            raise CodedError("unstable-value", what, "write an expression that gives the same for the same row.", at=at)


def _mask(sql: str | Literal[False]) -> str | Literal[False]:
    if sql:
        check_policy(read_sql(sql), (VALUE,))
    return sql


MaskSql = Annotated[str, AfterValidator(_mask)]
Mask = Annotated[str | Literal[False], AfterValidator(_mask)]
"""A mask, or `false` for none."""


class RowFilter(Spec):
    """Which rows a principal sees; who is not named sees none."""

    description: str = Field(min_length=1, description="Which rows the filter keeps from whom, and why.")
    columns: dict[Name, ColumnType] = Field(min_length=1, description="The columns that conditions may read, with their types.")
    sees: dict[Name, str] = Field(
        min_length=1,
        description="For each principal `all`, or the condition that rows must hold for them; of several groups each adds its rows.",
    )

    @model_validator(mode="after")
    def _reads_its_columns(self) -> RowFilter:
        for name, condition in self.sees.items():
            if condition != "all":
                check_policy(read_sql(condition, at=("sees", name)), tuple(self.columns), at=("sees", name))
        return self

    @property
    def unlimited(self) -> frozenset[str]:
        """Return the principals who see all rows."""
        return frozenset(name for name, condition in self.sees.items() if condition == "all")


class RowFilterUse(Spec):
    """A row filter of metadata/row_filters.yml, put on a table."""

    use: Name = Field(description="The filter's name.")
    on: Pairs = Field(
        default_factory=dict, description="The table's columns that the filter reads; `{filter's: table's}` where their names differ."
    )


def as_row_filter(value: object) -> object:
    """Return the short form `own_region` as `{use: own_region}`."""
    return {"use": value} if isinstance(value, str) else value


class Access(Spec):
    """How the catalog is kept to what contracts say of access."""

    manage: Annotated[list[Part], Field(min_length=1), EachOnce] = Field(
        default_factory=lambda: list(PARTS),
        description="What `apply access` looks after; the rest is somebody else's business.",
    )
    strangers: Literal["report", "remove"] = Field(
        "report",
        description="What becomes of privileges of principals that metadata/principals.yml does not list: told as drift, or revoked.",
    )
    unmanaged: Names = Field(default_factory=list, description="Principals whose privileges are left alone, such as an administrator's.")
    warehouse: str = Field(
        "", description="The id of the SQL warehouse that statements are sent to; the variable DATABRICKS_WAREHOUSE_ID unless said."
    )
