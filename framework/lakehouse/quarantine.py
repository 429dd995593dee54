"""Which rows does a table refuse, for which reasons, and what do they look like to somebody who may not see personal data?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from framework.lakehouse.session import start_session
from framework.spec.names import literal, quoted
from framework.spec.problem import CannotRunError, did_you_mean
from framework.spec.table import MappedTable

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.sql import SparkSession

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
    tables.read(f"{table}_quarantine").createOrReplaceTempView("quarantined")
    return _found(spark, masked_columns(project, table, clear), samples)


def _found(spark: SparkSession, hidden: Collection[str], samples: int) -> list[Cause]:
    told = spark.sql(
        "select r.rule, r.column, r.message, count(*) as rows from quarantined lateral view explode(_reasons) e as r "
        "group by r.rule, r.column, r.message order by rows desc, r.rule"
    ).collect()
    return [
        Cause(row["rule"], row["column"], row["message"], row["rows"], _samples(spark, row["rule"], row["column"], hidden, samples))
        for row in told
    ]


def _samples(spark: SparkSession, rule: str, column: str | None, hidden: Collection[str], count: int) -> list[dict[str, str | None]]:
    if count < 1:
        return []
    rows = spark.table("quarantined")
    names = [name for name in rows.columns if name != "_reasons"]
    # What the rule speaks of first, then where the row came from, then the rest.
    first = [name for name in names if name.lower() == (column or "").lower()]
    where = [name for name in ("_source_file", "_row_number") if name in names]
    rest = [name for name in names if name not in {*first, *where} and not name.startswith("_")]
    shown = (
        rows.where(f"exists(_reasons, r -> r.rule = {literal(rule)})")
        .select(*(quoted(name) for name in (*first, *where, *rest)))
        .limit(count)
    )
    return [{name: _said(value, is_hidden=name.lower() in hidden) for name, value in row.asDict().items()} for row in shown.collect()]


def _said(value: Any, *, is_hidden: bool) -> str | None:
    if value is None:
        return None
    if is_hidden:
        return MASK
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
