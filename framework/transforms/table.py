"""How does a contract of each kind turn its inputs into labelled rows? Read top to bottom."""

from __future__ import annotations

from functools import reduce, singledispatch
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.dedupe import ExactRepeats, order
from framework.spec.history import Versions
from framework.spec.names import quoted
from framework.spec.rules import rules_of
from framework.spec.sql.parse import aggregates
from framework.spec.table import CARRIED, FILE_TECHNICAL, GroupedTable, MappedTable, QueryTable, Table
from framework.transforms.checks import broken_conditions
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

    from framework.spec.source import TableSource


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
        rows = _joined(read[-1].rows, table, inputs)
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
    business = [name for name in types if not name.startswith("_")]
    text = {}
    if table.text and set(FILE_TECHNICAL) <= set(types):
        text = {name: cleansed(name, table.text) for name in business if types[name] == "string"}
    json = {name: parsed(F.col(quoted(name)), one) for name, one in source.parse_json.items()}
    same = {}
    if isinstance(table.dedupe, ExactRepeats):
        same = {f"__same_{name}": text[name] if name in text else F.col(quoted(name)) for name in business}
    rows = rows.withColumns(untouched | text | json | same)
    if source.explode:
        position = source.explode.position or AT
        item = source.explode.as_
        rows = rows.select("*", F.posexplode(F.col(quoted(source.explode.column))).alias(AT, item))
        rows = rows.withColumns(
            {AT: F.col(AT) + 1, position: F.col(AT) + 1, f"{RAW}{item}": F.col(quoted(item)), f"{RAW}{position}": F.col(AT) + 1}
        )
    return rows


def _joined(rows: DataFrame, table: MappedTable | GroupedTable, inputs: Mapping[str, DataFrame]) -> DataFrame:
    """Return the rows with the columns that the table's joins take, and a flag for each join that must match."""
    flags = iter([rule.flag for rule in rules_of(table) if rule.kind == "match"])
    for join in table.joins:
        rows = with_taken(rows, inputs[join.table], join.on, join.take)
        if join.missing == "drop":
            rows = rows.withColumn(next(flags), F.col(MATCHED).isNull())
        rows = rows.drop(MATCHED)
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
def _grouped(table: GroupedTable, inputs: Mapping[str, DataFrame]) -> Labelled:
    rules = rules_of(table)
    read = counted(inputs[table.source])
    rows = _with_conditions(_joined(read.rows, table, inputs), table)
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
    conditions = broken_conditions(rules_of(table))
    return rows.withColumns(conditions) if conditions else rows


def _typed(rows: DataFrame, table: GroupedTable | QueryTable) -> DataFrame:
    return rows.select(*(F.col(quoted(column.name)).cast(column.type).alias(column.name) for column in table.columns))
