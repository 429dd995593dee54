"""How does a source row become a row of the table: mapped, cast, looked up, checked?

Columns are worked out in as few steps as their dependencies allow: each step sees the source's columns and the own
columns declared above, which hide the source's of the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.checks import Holds, In
from framework.spec.columns import MappedColumn, expression_of
from framework.spec.names import quoted
from framework.spec.rules import Rule, rules_of
from framework.spec.sql.parse import columns_in
from framework.transforms.cast import readable
from framework.transforms.checks import broken_conditions, failing, false_if_null
from framework.transforms.joins import MATCHED, with_taken
from framework.transforms.rows import any_of
from framework.transforms.text import cleansed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

    from framework.spec.source import TableSource
    from framework.spec.table import MappedTable, Text


def steps_of(table: MappedTable, source: TableSource) -> list[list[MappedColumn]]:
    """Return the columns in groups that can be worked out together, each group after those that it reads."""
    own: dict[str, int] = {}
    hidden_from: dict[str, int] = {}
    for column in table.columns:
        sql = expression_of(column, source)
        reads = set(columns_in(sql)) if sql else {column.name}
        needs = {*column.lookup.keys} if column.lookup else set()
        conditions = {name for check in column.checks if isinstance(check, Holds) for name in columns_in(check.sql)}
        after = [own[name] + 1 for name in (reads | needs | conditions) - {column.name} if name in own]
        # A column that another one above still reads from the source must not hide it before that one is done.
        step = max([*after, hidden_from.get(column.name, 0)])
        for name in (reads | needs) - set(own):
            hidden_from[name] = max(hidden_from.get(name, 0), step)
        # A condition is asked once the step's own columns stand, so whatever hides its source comes a step later.
        for name in conditions - set(own) - {column.name}:
            hidden_from[name] = max(hidden_from.get(name, 0), step + 1)
        own[column.name] = step
    return [[column for column in table.columns if own[column.name] == step] for step in range(max(own.values()) + 1)]


def mapped(rows: DataFrame, table: MappedTable, source: TableSource, inputs: Mapping[str, DataFrame]) -> DataFrame:
    """Return the rows with the table's columns, and a flag column for each rule."""
    rules = rules_of(table)
    for step in steps_of(table, source):
        rows = _with_values(rows, step, source)
        rows = _with_lookups(rows, step, table.text, inputs, expressions={c.name: expression_of(c, source) for c in step})
        rows = _with_checks(rows, step, rules, inputs, filled=_filled(table))
    conditions = broken_conditions(rule for rule in rules if rule.kind == "row")
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
            values[_value(column)] = F.col(quoted(column.name))
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
    typed = {_typed(column): readable(F.col(quoted(_value(column))), given[_value(column)], column.type, column.formats) for column in step}
    rows = rows.withColumns(typed)
    for column in step:
        if column.lookup:
            there = inputs[column.lookup.target]
            rows = with_taken(rows, there, column.lookup.keys, {"__found": column.lookup.take}).drop(MATCHED)
            found = readable(F.col("__found"), dict(rows.dtypes)["__found"], column.type)
            rows = rows.withColumn(_typed(column), F.coalesce(F.col(quoted(_typed(column))), found)).drop("__found")
    return rows


def _with_checks(
    rows: DataFrame, step: list[MappedColumn], rules: tuple[Rule, ...], inputs: Mapping[str, DataFrame], filled: set[str]
) -> DataFrame:
    """Add the columns themselves and the flags of their rules; drop what was only needed on the way."""
    columns = {column.name: column for column in step}
    mine = [rule for rule in rules if rule.column in columns]
    conditions = [rule for rule in mine if isinstance(rule.check, Holds)]
    rows, found = _with_found(rows, mine, inputs)
    flags = {rule.flag: _broken(rule, columns, found) for rule in mine if rule not in conditions}
    values = {column.name: _settled(column, mine, flags, is_filled=column.name in filled) for column in step}
    rows = rows.withColumns(flags | values)
    if conditions:
        # A condition speaks of the table's own column, so it is asked once that stands.
        rows = rows.withColumns(broken_conditions(conditions))
        emptied = {
            rule.column: F.expr(f"if({quoted(rule.flag)}, null, {quoted(rule.column)})")
            for rule in conditions
            if rule.otherwise == "set_null" and rule.column
        }
        rows = rows.withColumns(emptied) if emptied else rows
    return rows.drop(*(_value(column) for column in step), *(_typed(column) for column in step), *found.values())


def _with_found(rows: DataFrame, rules: list[Rule], inputs: Mapping[str, DataFrame]) -> tuple[DataFrame, dict[str, str]]:
    """Return the rows with what other tables have to the values, and the names of the columns that tell it."""
    found: dict[str, str] = {}
    for rule in rules:
        target = rule.check.target if isinstance(rule.check, In) else None
        if target:
            found[rule.name] = f"__found_{rule.name}"
            there = inputs[target[0]].select(F.col(quoted(target[1])).alias("__there")).distinct()
            rows = with_taken(rows, there, {f"__typed_{rule.column}": "__there"}, {}).withColumnRenamed(MATCHED, found[rule.name])
    return rows, found


def _broken(rule: Rule, columns: Mapping[str, MappedColumn], found: Mapping[str, str]) -> Column:
    column = columns[rule.column or ""]
    typed = F.col(quoted(_typed(column)))
    if rule.check is not None:
        return false_if_null(failing(rule.check, typed, F.col(quoted(found[rule.name])) if rule.name in found else None))
    # Where a lookup was asked, a value that it did not bring is missing, whatever the source had.
    given = F.lit(False) if column.lookup else F.col(quoted(_value(column))).isNotNull()
    return typed.isNull() & (given if rule.kind == "readable" else ~given)


def _settled(column: MappedColumn, rules: list[Rule], flags: Mapping[str, Column], *, is_filled: bool) -> Column:
    """Return the column's value after its checks: emptied where one says so, else its default where there is none."""
    value = F.col(quoted(_typed(column)))
    emptied = [
        flags[rule.flag]
        for rule in rules
        if rule.column == column.name and rule.kind == "check" and rule.otherwise == "set_null" and rule.flag in flags
    ]
    if emptied:
        value = F.when(~any_of(emptied), value)
    if column.default is not None and not is_filled:
        value = F.coalesce(value, F.lit(column.default).cast(column.type))
    return value


def _plain(sql: str | None) -> bool:
    return sql is not None and columns_in(sql) == {sql.strip()}


def _value(column: MappedColumn) -> str:
    return f"__value_{column.name}"


def _typed(column: MappedColumn) -> str:
    return f"__typed_{column.name}"
