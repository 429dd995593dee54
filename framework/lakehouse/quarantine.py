"""Which rows does a table refuse, for which reasons, and what do they look like to somebody who may not see personal data?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from framework.lakehouse.session import start_session
from framework.spec.names import quoted
from framework.spec.problem import CannotRunError, did_you_mean
from framework.spec.table import ROW_PLACE, MappedTable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pyspark.sql import Column, DataFrame

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.spec.project import Project

MASK = "•••"
_LONGEST = 60


@dataclass(frozen=True)
class Cause:
    """One reason for which rows are refused: how many have it, and some of them, with the values that the rule speaks of first."""

    rule: str
    column: str | None
    message: str
    rows: int
    samples: list[dict[str, str | None]]


def cleared(project: Project, principal: str | None) -> frozenset[str]:
    """Return the PII classes that a principal may see in clear; none without one.

    Raises:
        CannotRunError: metadata lists no such principal.
    """
    if principal is None:
        return frozenset()
    known = project.metadata.principals
    if principal not in known:
        raise CannotRunError(f'metadata/principals.yml has no principal "{principal}".', did_you_mean(principal, known))
    return frozenset(known[principal].clearance)


def masked_columns(project: Project, table: str, clear: Collection[str]) -> frozenset[str]:
    """Return the columns of a table's quarantine, in lower case, that hold personal data of classes other than `clear`."""
    contract, lineage = project.tables[table], project.lineage
    hidden: set[str] = set()
    for source in contract.all_sources if isinstance(contract, MappedTable) else ():
        facts = project.facts[source.table]
        held = {name for name in facts.columns if set(lineage.taint((source.table, name))) - set(clear)}
        hidden |= held
        if source.explode and source.explode.column.lower() in held:
            hidden |= {source.explode.as_.lower()}
    return frozenset(hidden)


def causes(lakehouse: Lakehouse, table: str, *, principal: str | None = None, samples: int = 3) -> list[Cause]:
    """Return why rows of a table are in quarantine, the most frequent reason first.

    Raises:
        CannotRunError: there is no such table or principal, or no row of the table can be refused.
    """
    project = lakehouse.project
    if table not in project.tables:
        raise CannotRunError(f'There is no table "{table}".', did_you_mean(table, project.tables))
    if project.facts[table].quarantine is None:
        raise CannotRunError(
            f"No rule of {table} puts rows into quarantine.", "look at a table with `required: true` or `otherwise: quarantine`."
        )
    clear = cleared(project, principal)
    spark = start_session(lakehouse.environment.spark)
    tables = lakehouse.tables(spark)
    if tables.version(f"{table}_quarantine") is None:
        return []
    return _found(tables.read(f"{table}_quarantine"), masked_columns(project, table, clear), samples)


def _found(rows: DataFrame, hidden: Collection[str], samples: int) -> list[Cause]:
    """Return the causes, each with some rows; one query."""
    names = [name for name in rows.columns if name != "_reasons"]
    reasons = rows.select(F.explode("_reasons").alias("reason"), F.struct(*(F.col(quoted(name)) for name in names)).alias("row"))
    by_reason = Window.partitionBy("reason.rule", "reason.column", "reason.message")
    # One row is always taken, for the reason that it has; which ones, is the same every time.
    numbered = reasons.select(
        "reason", "row", F.count("*").over(by_reason).alias("rows"), F.row_number().over(by_reason.orderBy(_order(names))).alias("number")
    )
    found: dict[tuple[str, str | None, str], Cause] = {}
    for one in numbered.where(F.col("number") <= max(samples, 1)).orderBy(F.desc("rows"), "reason.rule", "number").collect():
        rule, column, message = one["reason"]["rule"], one["reason"]["column"], one["reason"]["message"]
        cause = found.setdefault((rule, column, message), Cause(rule, column, message, one["rows"], []))
        if samples > 0:
            row = one["row"].asDict()
            shown = {name: _said(row[name], is_hidden=name.lower() in hidden) for name in _shown(names, column)}
            cause.samples.append(shown)
    return list(found.values())


def _order(names: Sequence[str]) -> list[Column]:
    return [F.col(f"row.{name}") for name in ROW_PLACE if name in names] or [F.lit(1)]


def _shown(names: Sequence[str], column: str | None) -> list[str]:
    """Return columns in the order in which they tell most: what the rule speaks of, where the row came from, the rest."""
    first = [name for name in names if name.lower() == (column or "").lower()]
    where = [name for name in ("_source_file", "_row_number") if name in names]
    return [*first, *where, *(name for name in names if name not in {*first, *where} and not name.startswith("_"))]


def _said(value: Any, *, is_hidden: bool) -> str | None:
    if value is None:
        return None
    if is_hidden:
        return MASK
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
