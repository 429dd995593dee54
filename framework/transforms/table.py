"""How does a contract of each kind turn its inputs into labelled rows? Read top to bottom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce, singledispatch
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.dedupe import ExactRepeats, order
from framework.spec.history import Versions
from framework.spec.names import quoted
from framework.spec.rules import rules_of
from framework.spec.sql.parse import aggregates
from framework.spec.table import CARRIED, GroupedTable, MappedTable, QueryTable, Table
from framework.transforms.checks import broken_conditions
from framework.transforms.columns import mapped
from framework.transforms.dedupe import marked
from framework.transforms.history import versioned
from framework.transforms.periods import by_period
from framework.transforms.rows import (
    ALL,
    AT,
    BROKEN,
    DROPPED,
    EMPTIED,
    KEPT,
    ORDER,
    OUTCOME,
    OWN,
    QUARANTINED,
    RAW,
    REASONS,
    REASONS_TYPE,
    SOURCE,
    STAYS,
    Labelled,
    Metrics,
    any_of,
    counted,
    outcome,
    outcome_counts,
    reasons,
    rule_counts,
)
from framework.transforms.scope import part_of
from framework.transforms.source import joined, source_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from framework.plan.scope import Sums


@dataclass(frozen=True)
class Added:
    """What changes the sums of a grouped table: rows of its source as they are now, in place of rows as they were.

    `then` holds what the table read when the latter were its own; `there` the groups as they are. Both halves are all
    rows with certain values of `sums.by`, so that no distinct value is counted in them and elsewhere.
    """

    now: DataFrame
    before: DataFrame
    then: Mapping[str, DataFrame]
    there: DataFrame
    sums: Sums


@dataclass(frozen=True)
class Part:
    """What of a table is worked out: all of it, unless a field says otherwise."""

    sources: Sequence[DataFrame] | None = None
    """The rows to read of each source of a mapped table, in place of all."""
    best: DataFrame | None = None
    """The best rows so far, which the source's rows are held against; see `Labelled.best`."""
    groups: DataFrame | None = None
    """The groups of a grouped table that are worked out."""
    added: Added | None = None
    """What is added to the groups of a grouped table, in place of working them out."""


WHOLE = Part()


@singledispatch
def labelled(table: Table, inputs: Mapping[str, DataFrame], part: Part = WHOLE, *, keep_best: bool = False) -> Labelled:
    """Return the table's rows, labelled with what becomes of them; `inputs` holds tables and reference data by name.

    With `keep_best`, `Labelled.best` gives the rows that a later part is held against.
    """
    raise NotImplementedError(type(table).__name__)


@labelled.register(MappedTable)
def _mapped(table: MappedTable, inputs: Mapping[str, DataFrame], part: Part = WHOLE, *, keep_best: bool = False) -> Labelled:
    rules = rules_of(table)
    rows, read = _judged(table, inputs, part)
    broken = Metrics(rows, F.count(F.lit(1)).alias(ALL), *rule_counts(rules))
    rows = _only_if_quarantined(broken.rows.drop(*(rule.flag for rule in rules)))
    if part.best is not None:
        read.append(counted(part.best))
        before = read[-1].rows.withColumns({OUTCOME: F.lit(KEPT), REASONS: F.lit(None).cast(REASONS_TYPE)})
        rows = rows.unionByName(before, allowMissingColumns=True)
    rows = _settled(rows, table, keep_best=keep_best)
    columns = (*table.column_names, *(name for name in CARRIED if name in rows.columns and name not in table.column_names))
    raw = [name for name in rows.columns if name.startswith(RAW)]
    outcomes = Metrics(rows, *outcome_counts())
    is_needed = F.col(OUTCOME).isin(KEPT, QUARANTINED)
    beside = [name for name in rows.columns if name in {AT, SOURCE, STAYS} or name.startswith((ORDER, OWN))] if keep_best else []
    rows = outcomes.rows.where(is_needed | F.col(STAYS) if keep_best else is_needed)
    rows = rows.select(*(quoted(name) for name in (*columns, OUTCOME, REASONS, *raw, *beside)))
    return Labelled(rows, columns, rules, tuple(read), broken, outcomes)


def traced(table: MappedTable, inputs: Mapping[str, DataFrame], part: Part = WHOLE) -> DataFrame:
    """Return every row that was read, also those that are no row of the table: its outcome, all rules that it breaks, its raw values."""
    rows, _ = _judged(table, inputs, part)
    flags = {rule.name: F.col(quoted(rule.flag)) for rule in rules_of(table)}
    names = F.array(*(F.when(flag, F.lit(name)) for name, flag in flags.items())) if flags else F.array()
    told = F.filter(names, lambda name: name.isNotNull()).cast("array<string>")
    rows = rows.withColumn(BROKEN, told).drop(*(rule.flag for rule in rules_of(table)))
    return _settled(rows, table)


def _judged(table: MappedTable, inputs: Mapping[str, DataFrame], part: Part) -> tuple[DataFrame, list[Metrics]]:
    """Return the rows of all sources, mapped, with what becomes of each by the rules it breaks; and how many were read."""
    rules = rules_of(table)
    parts, read = [], []
    for number, source in enumerate(table.all_sources):
        given = part.sources[number] if part.sources else inputs[source.table]
        read.append(counted(source_rows(given, table, source)))
        rows = joined(read[-1].rows, table, inputs)
        rows = mapped(rows, table, source, inputs)
        parts.append(_ready_to_compare(rows, table, number))
    rows = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), parts)
    return rows.withColumn(OUTCOME, outcome(rules)).withColumn(REASONS, reasons(rules)), read


def _settled(rows: DataFrame, table: MappedTable, *, keep_best: bool = False) -> DataFrame:
    """Return the rows, those that are not the best of their key marked as duplicates, and what tells versions apart."""
    if table.dedupe is None:
        return rows
    exact = isinstance(table.dedupe, ExactRepeats)
    key = [name for name in rows.columns if name.startswith("__same_")] if exact else list(table.dedupe.key)  # type: ignore[union-attr] # not ExactRepeats
    rows = marked(rows, table.dedupe, key, table.columns, keep_best=keep_best)
    if isinstance(table.history, Versions):
        names = table.history.versions
        key = [name for name in key if name != names.from_]
        rows = versioned(rows, table.history, key, [column.name for column in table.columns])
    return rows


def _ready_to_compare(rows: DataFrame, table: MappedTable, source_number: int) -> DataFrame:
    """Return only what is needed from here on: the table's columns, flags, raw values, and what rows are ordered by."""
    own = [column.name for column in table.columns]
    carried = [name for name in CARRIED if name in rows.columns and name not in own]
    by = [order(text).column for text in (*getattr(table.dedupe, "latest_by", ()), *getattr(table.dedupe, "tie_break", ()))]
    ordering = [F.col(quoted(name)).alias(f"{ORDER}{name}") for name in dict.fromkeys(by) if name not in {*own, *carried}]
    kept = [name for name in rows.columns if name.startswith((RAW, "__broken_", "__same_"))]
    at = F.col(AT) if AT in rows.columns else F.lit(0).alias(AT)
    return rows.select(*(quoted(name) for name in (*own, *carried, *kept)), *ordering, at, F.lit(source_number).alias(SOURCE))


def _only_if_quarantined(rows: DataFrame) -> DataFrame:
    """Return the rows with raw values only where they will be asked for, so that they cost nothing elsewhere."""
    raw = [name for name in rows.columns if name.startswith(RAW)]
    return rows.withColumns({name: F.expr(f"if({OUTCOME} = '{QUARANTINED}', {quoted(name)}, null)") for name in raw}) if raw else rows


@labelled.register(GroupedTable)
def _grouped(table: GroupedTable, inputs: Mapping[str, DataFrame], part: Part = WHOLE, *, keep_best: bool = False) -> Labelled:  # noqa: ARG001 - groups have no best row
    rules = rules_of(table)
    given = part.added.now if part.added else inputs[table.source]
    if part.groups is not None:
        plain = _plain_keys(table, given)
        given = part_of(given, plain, part.groups.select(*map(quoted, plain)).distinct()) if plain else given
    read = counted(given)
    rows = _with_conditions(joined(read.rows, table, inputs), table)
    rows = rows.withColumn(OUTCOME, outcome(rules))
    is_in = F.count_if(F.col(OUTCOME) == KEPT).alias("grouped")
    broken = Metrics(rows, is_in, F.count_if(F.col(OUTCOME) == DROPPED).alias(DROPPED), *rule_counts(rules))
    rows = _with_keys(broken.rows.where(F.col(OUTCOME) == KEPT), table)
    if part.groups is not None:
        rows = part_of(rows, table.group_by, part.groups)
    result = _measured(rows, table)
    is_left = F.lit(True)
    if part.added:
        result = _summed(result, table, part.added)
        is_left = F.col(quoted(part.added.sums.rows)) > 0
    for column in table.columns:
        if column.measure and not aggregates(column.measure):
            result = result.withColumn(column.name, F.expr(column.measure))
    result = (
        _typed(result, table)
        .withColumn(OUTCOME, F.when(is_left, KEPT).otherwise(EMPTIED))
        .withColumn(REASONS, F.lit(None).cast(REASONS_TYPE))
    )
    outcomes = Metrics(result, *outcome_counts())
    return Labelled(outcomes.rows, table.column_names, rules, (read,), broken, outcomes)


def _measured(rows: DataFrame, table: GroupedTable) -> DataFrame:
    """Return the groups with their measures over rows; not those that are made of other measures."""
    direct = [F.expr(column.measure).alias(column.name) for column in table.columns if column.measure and aggregates(column.measure)]
    keys = [quoted(name) for name in table.group_by]
    return rows.groupBy(*keys).agg(*direct) if direct else rows.select(*keys).distinct()


def _summed(now: DataFrame, table: GroupedTable, added: Added) -> DataFrame:
    """Return the groups whose measures change, with what they come to; a group without rows too."""
    keys, names = [quoted(name) for name in table.group_by], added.sums.measures
    less = _measured(gathered_rows(added.before, table, added.then), table).withColumns({name: -F.col(quoted(name)) for name in names})
    deltas = now.unionByName(less).groupBy(*keys).agg(*(F.sum(quoted(name)).alias(name) for name in names))
    deltas = deltas.where(any_of(F.col(quoted(name)) != 0 for name in names))
    there = added.there.select(*(F.col(quoted(name)).alias(f"__there_{name}") for name in (*table.group_by, *names)))
    same = [F.col(quoted(name)).eqNullSafe(F.col(quoted(f"__there_{name}"))) for name in table.group_by]
    sums = {name: F.coalesce(F.col(quoted(f"__there_{name}")), F.lit(0)) + F.col(quoted(name)) for name in names}
    return deltas.join(there, same, "left").withColumns(sums)


def groups_of(rows: DataFrame, table: GroupedTable, inputs: Mapping[str, DataFrame]) -> DataFrame:
    """Return the groups that rows of the source belong to, repeats and all."""
    return gathered_rows(rows, table, inputs).select(*(quoted(name) for name in table.group_by))


def gathered_rows(rows: DataFrame, table: GroupedTable, inputs: Mapping[str, DataFrame]) -> DataFrame:
    """Return rows of the source as they are gathered: with what they are joined with, once for each group that they belong to."""
    found = _with_conditions(joined(rows, table, inputs), table).where(outcome(rules_of(table)) == KEPT)
    return _with_keys(found, table)


def _with_keys(rows: DataFrame, table: GroupedTable) -> DataFrame:
    """Return the rows once for each group that they belong to, with what names the group."""
    if table.periods:
        rows = by_period(rows, table.periods)
    keys = {column.name: F.expr(column.expr) for column in table.columns if column.expr}
    return rows.withColumns(keys) if keys else rows


def _plain_keys(table: GroupedTable, rows: DataFrame) -> list[str]:
    """Return the columns of the groups that the source's rows have as they are."""
    made = {column.name for column in table.columns if column.expr} | {name for join in table.joins for name in join.take}
    made |= {"period_type", "period_start"} if table.periods else set()
    return [name for name in table.group_by if name in rows.columns and name not in made]


@labelled.register(QueryTable)
def _queried(table: QueryTable, inputs: Mapping[str, DataFrame], part: Part = WHOLE, *, keep_best: bool = False) -> Labelled:  # noqa: ARG001 - a query is worked out whole
    rules = rules_of(table)
    for name in table.inputs:
        inputs[name].createOrReplaceTempView(quoted(name))
    session: SparkSession = next(iter(inputs.values())).sparkSession
    read = counted(session.sql(table.sql))
    rows = _with_conditions(_typed(read.rows, table), table)
    rows = rows.withColumn(OUTCOME, outcome(rules)).withColumn(REASONS, reasons(rules))
    broken = Metrics(rows, F.count(F.lit(1)).alias(ALL), *rule_counts(rules))
    outcomes = Metrics(broken.rows, *outcome_counts())
    rows = outcomes.rows.where(F.col(OUTCOME) == KEPT).select(*(quoted(name) for name in table.column_names), OUTCOME, REASONS)
    return Labelled(rows, table.column_names, rules, (read,), broken, outcomes)


def _with_conditions(rows: DataFrame, table: GroupedTable | QueryTable) -> DataFrame:
    conditions = broken_conditions(rules_of(table))
    return rows.withColumns(conditions) if conditions else rows


def _typed(rows: DataFrame, table: GroupedTable | QueryTable) -> DataFrame:
    return rows.select(*(F.col(quoted(column.name)).cast(column.type).alias(column.name) for column in table.columns))
