"""How does a source row become a row of the table: mapped, cast, looked up, checked?

Columns are worked out in as few steps as their dependencies allow: each step sees the source's columns and the own
columns declared above, which hide the source's of the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.expression import columns_in
from framework.spec.rules import Rule, rules_of
from framework.spec.table import MappedTable
from framework.transforms.cast import readable
from framework.transforms.checks import failing
from framework.transforms.joins import MATCHED, with_taken
from framework.transforms.rows import any_of
from framework.transforms.text import cleansed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

    from framework.spec.columns import MappedColumn
    from framework.spec.source import TableSource
    from framework.spec.table import Text


def expression_of(column: MappedColumn, source: TableSource) -> str | None:
    """Return the SQL that a source has for a column; None where the column of the same name is taken."""
    return source.columns.get(column.name, column.expr)


def steps_of(table: MappedTable, source: TableSource) -> list[list[MappedColumn]]:
    """Return the columns in groups that can be worked out together, each group after those that it reads."""
    own: dict[str, int] = {}
    hidden_from: dict[str, int] = {}
    for column in table.columns:
        sql = expression_of(column, source)
        reads = set(columns_in(sql)) if sql else {column.name}
        needs = {*column.lookup.keys} if column.lookup else set()
        conditions = {name for check in column.checks if getattr(check, "sql", None) for name in columns_in(check.sql)}  # type: ignore[union-attr] # only Holds has one
        after = [own[name] + 1 for name in (reads | needs | conditions) - {column.name} if name in own]
        # A column that another one above still reads from the source must not hide it before that one is done.
        step = max([*after, hidden_from.get(column.name, 0)])
        for name in (reads | conditions) - set(own):
            hidden_from[name] = max(hidden_from.get(name, 0), step)
        own[column.name] = step
    return [[column for column in table.columns if own[column.name] == step] for step in range(max(own.values()) + 1)]


def mapped(rows: DataFrame, table: MappedTable, source: TableSource, inputs: Mapping[str, DataFrame]) -> DataFrame:
    """Return the rows with the table's columns, and a flag column for each rule."""
    rules = rules_of(table)
    for step in steps_of(table, source):
        rows = _with_values(rows, step, source)
        rows = _with_lookups(rows, step, table.text, inputs, expressions={c.name: expression_of(c, source) for c in step})
        rows = _with_checks(rows, step, rules, inputs, filled=_filled(table))
    conditions = {rule.flag: _false_if_null(failing(rule.check, F.lit(None), None)) for rule in rules if rule.kind == "row" and rule.check}
    return rows.withColumns(conditions) if conditions else rows


def _filled(table: MappedTable) -> set[str]:
    return set(getattr(table.dedupe, "fill", ()))


def _with_values(rows: DataFrame, step: list[MappedColumn], source: TableSource) -> DataFrame:
    """Add `__value_…`: what the expressions give."""
    there = {name.lower() for name in rows.columns}
    values: dict[str, Column] = {}
    for column in step:
        sql = expression_of(column, source)
        if sql:
            values[_value(column)] = F.expr(sql)
        elif column.name.lower() in there and not column.lookup:
            values[_value(column)] = F.col(f"`{column.name}`")
        else:
            values[_value(column)] = F.lit(None).cast(column.type)
    return rows.withColumns(values)


def _with_lookups(
    rows: DataFrame, step: list[MappedColumn], text: Text | None, inputs: Mapping[str, DataFrame], expressions: Mapping[str, str | None]
) -> DataFrame:
    """Add `__typed_…`: the values as the declared types, looked up where there is none."""
    given = dict(rows.dtypes)
    # What comes out of an expression or out of JSON has not been cleansed as the source's text has.
    made = [c for c in step if given[_value(c)] == "string" and expressions[c.name] and not _plain(expressions[c.name])]
    if text and made:
        rows = rows.withColumns({_value(column): cleansed(_value(column), text) for column in made})
    typed = {
        _typed(column): readable(F.col(f"`{_value(column)}`"), given[_value(column)], column.type, column.formats)
        for column in step
    }
    rows = rows.withColumns(typed)
    for column in step:
        if column.lookup:
            there = inputs[column.lookup.target]
            rows = with_taken(rows, there, column.lookup.keys, {"__found": column.lookup.take}).drop(MATCHED)
            found = readable(F.col("__found"), dict(rows.dtypes)["__found"], column.type)
            rows = rows.withColumn(_typed(column), F.coalesce(F.col(f"`{_typed(column)}`"), found)).drop("__found")
    return rows


def _with_checks(
    rows: DataFrame, step: list[MappedColumn], rules: tuple[Rule, ...], inputs: Mapping[str, DataFrame], filled: set[str]
) -> DataFrame:
    """Add the columns themselves and the flags of their rules; drop what was only needed on the way."""
    found: dict[str, str] = {}
    names = {column.name for column in step}
    checks = [rule for rule in rules if rule.column in names and rule.kind == "check" and rule.check is not None]
    for rule in checks:
        target = getattr(rule.check, "target", None)
        if target:
            found[rule.name] = f"__found_{rule.name}"
            there = inputs[target[0]].select(F.col(f"`{target[1]}`").alias("__there")).distinct()
            rows = with_taken(rows, there, {f"__typed_{rule.column}": "__there"}, {}).withColumnRenamed(MATCHED, found[rule.name])
    by_column = {column.name: column for column in step}
    flags: dict[str, Column] = {}
    values: dict[str, Column] = {}
    for column in step:
        value, typed = F.col(f"`{_value(column)}`"), F.col(f"`{_typed(column)}`")
        for rule in rules:
            if rule.column != column.name:
                continue
            if rule.kind == "required":
                flags[rule.flag] = typed.isNull() & _blank(value, by_column[column.name])
            elif rule.kind == "readable":
                flags[rule.flag] = typed.isNull() & ~_blank(value, by_column[column.name])
    sql_checks = [rule for rule in checks if getattr(rule.check, "sql", None)]
    for rule in checks:
        if rule in sql_checks or rule.check is None:
            continue
        brought = F.col(f"`{found[rule.name]}`") if rule.name in found else None
        flags[rule.flag] = _false_if_null(failing(rule.check, F.col(f"`__typed_{rule.column}`"), brought))
    for column in step:
        typed = F.col(f"`{_typed(column)}`")
        emptied = [flags[rule.flag] for rule in checks if rule.column == column.name and rule.otherwise == "set_null" and rule.flag in flags]
        values[column.name] = F.when(~any_of(emptied), typed) if emptied else typed
        if column.default is not None and column.name not in filled:
            values[column.name] = F.coalesce(values[column.name], F.lit(column.default).cast(column.type))
    rows = rows.withColumns(flags | values)
    if sql_checks:
        # A condition speaks of the table's own column, so it is asked once that stands.
        asked = {rule.flag: _false_if_null(failing(rule.check, F.lit(None), None)) for rule in sql_checks if rule.check}
        rows = rows.withColumns(asked)
        for rule in sql_checks:
            if rule.otherwise == "set_null" and rule.column:
                rows = rows.withColumn(rule.column, F.when(~F.col(f"`{rule.flag}`"), F.col(f"`{rule.column}`")))
    return rows.drop(*(_value(column) for column in step), *(_typed(column) for column in step), *found.values())


def _blank(value: Column, column: MappedColumn) -> Column:
    """Return whether nothing was given; text that is blank all through is nothing for a column that is not text."""
    if column.lookup:
        return F.lit(True)
    return value.isNull()


def _false_if_null(flag: Column) -> Column:
    return F.coalesce(flag, F.lit(False))


def _plain(sql: str | None) -> bool:
    return sql is not None and columns_in(sql) == {sql.strip()}


def _value(column: MappedColumn) -> str:
    return f"__value_{column.name}"


def _typed(column: MappedColumn) -> str:
    return f"__typed_{column.name}"
