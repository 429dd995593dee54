"""How does a contract of each kind turn its inputs into labelled rows? Read top to bottom."""

from __future__ import annotations

from functools import reduce, singledispatch
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.dedupe import ExactRepeats, order
from framework.spec.expression import aggregates
from framework.spec.history import Versions
from framework.spec.names import quoted
from framework.spec.rules import rules_of
from framework.spec.table import CARRIED, FILE_TECHNICAL, GroupedTable, MappedTable, QueryTable, Table
from framework.transforms.checks import failing
from framework.transforms.columns import mapped
from framework.transforms.dedupe import AT, SOURCE, marked
from framework.transforms.history import versioned
from framework.transforms.joins import MATCHED, with_taken
from framework.transforms.parse_json import parsed
from framework.transforms.periods import by_period
from framework.transforms.rows import (
    ALL,
    DROPPED,
    KEPT,
    ORDER,
    OUTCOME,
    QUARANTINED,
    RAW,
    REASONS,
    REASONS_TYPE,
    Labelled,
    Metrics,
    counted,
    outcome,
    outcome_counts,
    reasons,
    rule_counts,
)
from framework.transforms.text import cleansed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession

    from framework.spec.source import Join, TableSource


@singledispatch
def labelled(table: Table, inputs: Mapping[str, DataFrame]) -> Labelled:
    """Return the table's rows, labelled with what becomes of them; `inputs` holds tables and reference data by name."""
    raise NotImplementedError(type(table).__name__)


@labelled.register(MappedTable)
def _mapped(table: MappedTable, inputs: Mapping[str, DataFrame]) -> Labelled:
    rules = rules_of(table)
    parts, read = [], []
    for number, source in enumerate(table.all_sources):
        read.append(counted(_source_rows(table, source, inputs)))
        rows = read[-1].rows
        for join in table.joins:
            rows = _joined(rows, join, inputs)
        rows = mapped(rows, table, source, inputs)
        parts.append(_ready_to_compare(rows, table, number))
    rows = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), parts)
    rows = rows.withColumn(OUTCOME, outcome(rules)).withColumn(REASONS, reasons(rules))
    broken = Metrics(rows, F.count(F.lit(1)).alias(ALL), *rule_counts(rules))
    rows = _only_if_quarantined(broken.rows.drop(*(rule.flag for rule in rules)))
    if table.dedupe is not None:
        exact = isinstance(table.dedupe, ExactRepeats)
        key = [name for name in rows.columns if name.startswith("__same_")] if exact else list(table.dedupe.key)  # type: ignore[union-attr] # not ExactRepeats
        rows = marked(rows, table.dedupe, key, table.columns)
        if isinstance(table.history, Versions):
            names = table.history.versions
            key = [name for name in key if name != names.from_]
            rows = versioned(rows, table.history, key, [column.name for column in table.columns])
    columns = (*table.column_names, *(name for name in CARRIED if name in rows.columns and name not in table.column_names))
    raw = [name for name in rows.columns if name.startswith(RAW)]
    outcomes = Metrics(rows, *outcome_counts())
    rows = outcomes.rows.where(F.col(OUTCOME).isin(KEPT, QUARANTINED))
    rows = rows.select(*(quoted(name) for name in columns), OUTCOME, REASONS, *(quoted(name) for name in raw))
    return Labelled(rows, columns, rules, tuple(read), broken, outcomes)


def _source_rows(table: MappedTable, source: TableSource, inputs: Mapping[str, DataFrame]) -> DataFrame:
    """Return the source's rows: text cleansed, JSON read, arrays exploded; the untouched values beside them."""
    rows = inputs[source.table]
    types = dict(rows.dtypes)
    untouched = {f"{RAW}{name}": F.col(quoted(name)) for name in types}
    same = {f"__same_{name}": F.col(quoted(name)) for name in types if not name.startswith("_")}
    changed = {name: parsed(F.col(quoted(name)), json) for name, json in source.parse_json.items()}
    if table.text and set(FILE_TECHNICAL) <= set(types):
        text = [name for name, type_ in types.items() if type_ == "string" and not name.startswith("_")]
        changed = {name: cleansed(name, table.text) for name in text} | changed
        same = {f"__same_{name}": cleansed(name, table.text) for name in text}
    rows = rows.withColumns(untouched | changed | (same if isinstance(table.dedupe, ExactRepeats) else {}))
    if source.explode:
        position = source.explode.position or AT
        item = source.explode.as_
        rows = rows.select("*", F.posexplode(F.col(quoted(source.explode.column))).alias(AT, item))
        rows = rows.withColumns(
            {AT: F.col(AT) + 1, position: F.col(AT) + 1, f"{RAW}{item}": F.col(quoted(item)), f"{RAW}{position}": F.col(AT) + 1}
        )
    return rows


def _joined(rows: DataFrame, join: Join, inputs: Mapping[str, DataFrame]) -> DataFrame:
    rows = with_taken(rows, inputs[join.table], join.on, join.take)
    flag = f"__broken_no_match_in_{join.table}"
    return rows.withColumn(flag, F.col(MATCHED).isNull()).drop(MATCHED) if join.missing == "drop" else rows.drop(MATCHED)


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
def _grouped(table: GroupedTable, inputs: Mapping[str, DataFrame]) -> Labelled:
    rules = rules_of(table)
    read = counted(inputs[table.source])
    rows = read.rows
    for join in table.joins:
        rows = _joined(rows, join, inputs)
    rows = _with_conditions(rows, table)
    rows = rows.withColumn(OUTCOME, outcome(rules))
    is_in = F.count_if(F.col(OUTCOME) == KEPT).alias("grouped")
    broken = Metrics(rows, is_in, F.count_if(F.col(OUTCOME) == DROPPED).alias(DROPPED), *rule_counts(rules))
    rows = broken.rows.where(F.col(OUTCOME) == KEPT)
    if table.periods:
        rows = by_period(rows, table.periods)
    keys = {column.name: F.expr(column.expr) for column in table.columns if column.expr}
    rows = rows.withColumns(keys) if keys else rows
    measures = [column for column in table.columns if column.measure]
    direct = [F.expr(column.measure).alias(column.name) for column in measures if column.measure and aggregates(column.measure)]
    groups = rows.groupBy(*(quoted(name) for name in table.group_by))
    result = groups.agg(*direct) if direct else rows.select(*(quoted(name) for name in table.group_by)).distinct()
    for column in measures:
        if column.measure and not aggregates(column.measure):
            result = result.withColumn(column.name, F.expr(column.measure))
    result = _typed(result, table).withColumn(OUTCOME, F.lit(KEPT)).withColumn(REASONS, F.lit(None).cast(REASONS_TYPE))
    outcomes = Metrics(result, *outcome_counts())
    return Labelled(outcomes.rows, table.column_names, rules, (read,), broken, outcomes)


@labelled.register(QueryTable)
def _queried(table: QueryTable, inputs: Mapping[str, DataFrame]) -> Labelled:
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
    conditions = {
        rule.flag: F.coalesce(failing(rule.check, F.lit(None), None), F.lit(False)) for rule in rules_of(table) if rule.check is not None
    }
    return rows.withColumns(conditions) if conditions else rows


def _typed(rows: DataFrame, table: GroupedTable | QueryTable) -> DataFrame:
    return rows.select(*(F.col(quoted(column.name)).cast(column.type).alias(column.name) for column in table.columns))
