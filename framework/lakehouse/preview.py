"""What would a principal see of a table, with filters and masks as a catalog would ask them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from framework.lakehouse.session import start_session
from framework.plan.access.rehearsal import rights, rows_seen, sees_clear
from framework.plan.access.wanted import mask_sql
from framework.spec.access import VALUE
from framework.spec.names import quoted
from framework.spec.problem import CannotRunError, did_you_mean
from framework.spec.sql.parse import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.spec.project import Project


def preview(lakehouse: Lakehouse, table: str, principal: str) -> DataFrame:
    """Return the rows of a table as a principal would get them.

    Raises:
        CannotRunError: there is no such table or principal, the principal may not read the table, or it is not there yet.
    """
    project = lakehouse.project
    may_read(project, table, principal)
    tables = lakehouse.tables(start_session(lakehouse.environment.spark))
    if tables.version(table) is None:
        raise CannotRunError(f"{table} is not there yet.", "`lakepact run all` first.")
    return as_seen(project, table, principal, tables.read(table))


def may_read(project: Project, table: str, principal: str) -> None:
    """Check that a principal may read a table.

    Raises:
        CannotRunError: there is no such table or principal, or no grant.
    """
    if table not in project.tables:
        raise CannotRunError(f'There is no table "{table}".', did_you_mean(table, project.tables))
    if principal not in project.metadata.principals:
        raise CannotRunError(
            f'metadata/principals.yml has no principal "{principal}".', did_you_mean(principal, project.metadata.principals)
        )
    found = next((one for one in rights(project) if (one.table, one.principal) == (table, principal)), None)
    if found is None or not {"owner", "select"} & set(found.privileges):
        raise CannotRunError(
            f"{principal} may not read {table}: no contract grants it.",
            f"`grants: {{{principal}: [select]}}` in the contract would; `lakepact access {principal}` shows what they may read.",
        )


def as_seen(project: Project, table: str, principal: str, rows: DataFrame) -> DataFrame:
    """Return rows as a principal sees them: those that the filter lets through, masked where they are not cleared."""
    condition = rows_seen(project, table, principal)
    if condition == "none":
        rows = rows.where("false")
    elif condition != "all":
        used = project.tables[table].row_filter
        rows = rows.where(_with(condition, {} if used is None else used.on))
    shown = []
    for name, type_ in rows.dtypes:
        sql = None if sees_clear(project, table, name, principal) else mask_sql(project, table, name)
        shown.append(quoted(name) if sql is None else f"cast({_with(sql, {VALUE: name})} as {type_}) as {quoted(name)}")
    return rows.selectExpr(*shown)


def _with(sql: str, columns: Mapping[str, str]) -> str:
    """Return an expression over a table's columns, given as one over a filter's or a mask's names."""

    def named(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table and node.name in columns:
            return exp.column(exp.to_identifier(columns[node.name], quoted=True))
        return node

    return parsed(sql).copy().transform(named).sql("databricks", normalize_functions=False, comments=False)
