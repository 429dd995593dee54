"""What is wrong in a contract whose rows are gathered into groups?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from framework.spec.examine.contract import Examination, Rows, input_rows
from framework.spec.examine.mapped import say_joins
from framework.spec.examine.rules import say_checks
from framework.spec.facts import DERIVED
from framework.spec.sql.functions import is_aggregate
from framework.spec.sql.parse import InvalidSqlError, aggregates, expression_span, name_of, parsed
from framework.spec.sql.types import DATE, STRING, read_type
from framework.spec.sql.values import NEVER, Value

if TYPE_CHECKING:
    from framework.spec.columns import GroupedColumn
    from framework.spec.load import Loc
    from framework.spec.table import GroupedTable


class GroupedExamination(Examination):
    """A table of groups, looked at."""

    kind = "grouped"
    table: GroupedTable

    def look(self) -> None:
        """Look at joins, periods, keys and measures."""
        rows = input_rows(self.around, self.table.source)
        if rows is None or any(name not in self.around.names for name in self.table.inputs):
            return
        say_joins(self, self.table, rows)
        say_checks(self, self.table.checks, ("checks",), rows)
        self._periods(rows)
        names = {name.lower() for name in self.table.group_by}
        results = Rows({})
        keys = [(i, column) for i, column in enumerate(self.table.columns) if not column.measure]
        for i, column in keys:
            self._key(column, ("columns", i), rows, results, is_grouped=column.name.lower() in names)
        measures = [column.name for column in self.table.columns if column.measure]
        self.known(self.table.group_by, ("group_by",), set(self.table.column_names) - set(measures))
        for i, column in enumerate(self.table.columns):
            if column.measure:
                self._measure(column, ("columns", i), rows, results)
        self._unused(rows)
        self.facts.uses |= names

    def _periods(self, rows: Rows) -> None:
        periods = self.table.periods
        if periods is None:
            return
        if self.known([periods.of], ("periods", "of"), rows.names.values()):
            value = rows.columns[periods.of.lower()]
            rows.use(periods.of)
            if value.type.is_known and value.type.family != "time":
                what = f"{periods.of} is {value.type}; periods are made of a date."
                self.say("type-mismatch", ("periods", "of"), what, "name a date or timestamp.")
            rows.add("period_start", Value(DATE, value.nulls, value.through(DERIVED), is_exact=True))
            self.facts.reads |= {(origin.table, origin.column) for origin in value.origins}
        else:
            rows.add("period_start", Value(DATE, NEVER))
        rows.add("period_type", Value(STRING, NEVER, is_exact=True))
        missing = [name for name in ("period_type", "period_start") if name not in {key.lower() for key in self.table.group_by}]
        for name in missing:
            what = f"Rows are gathered by period, and `group_by` lacks {name}: periods of several types or starts would be added up."
            self.say("missing-key", ("group_by",), what, f"add {name} to `group_by`.")

    def _key(self, column: GroupedColumn, loc: Loc, rows: Rows, results: Rows, *, is_grouped: bool) -> None:
        if column.expr:
            value = self.read(column.expr, (*loc, "expr"), rows, column=column.name, in_key=True)
        elif self.known([column.name], (*loc, "name"), rows.names.values(), column=column.name):
            rows.use(column.name)
            value = rows.columns[column.name.lower()]
        else:
            value = Value()
        rows.add(column.name, value)
        self.fits(value, column.type, (*loc, "type"), column.name, stops=True, is_plain=not column.expr)
        self.say_method(column, column.expr, value, loc)
        self.keep(column, value, column.type, loc, column.expr or "")
        results.add(column.name, value.as_type(read_type(column.type)) if column.name.lower() not in self.broken else Value())
        if not is_grouped:
            what = f'The column "{column.name}" is no measure and not in `group_by`.'
            fix = "add it to `group_by`, or give it a `measure`."
            self.say("not-grouped", (*loc, "name"), what, fix, column=column.name)
        elif value.nulls != NEVER:
            what = f"{column.name} may be null, and is part of the group: all rows without it are one group."
            fix = "write `coalesce(…, 'Unknown')`, make it `required` where it comes from, or accept the warning with a reason."
            self.need_own(column.name, self.inside(("group_by",), column.name), what, fix)

    def _measure(self, column: GroupedColumn, loc: Loc, rows: Rows, results: Rows) -> None:
        sql, at = column.measure or "", (*loc, "measure")
        try:
            gathers = aggregates(sql)
        except InvalidSqlError:
            gathers = False
        value = self._gathered(sql, at, rows, column) if gathers else self._of_measures(sql, at, rows, results, column)
        self.fits(value, column.type, at, column.name, stops=True)
        self.say_method(column, sql, value, loc)
        self.keep(column, value, column.type, loc, " ".join(sql.split()))
        results.add(column.name, value.as_type(read_type(column.type)) if column.name.lower() not in self.broken else Value())

    def _gathered(self, sql: str, at: Loc, rows: Rows, column: GroupedColumn) -> Value:
        value = self.read(sql, at, rows, column=column.name, may_aggregate=True)
        keys = {name.lower() for name in self.table.group_by}
        for node in bare_columns(parsed(sql)):
            name = node.parts[0].name
            if name.lower() not in keys and name.lower() in rows.columns:
                span = expression_span(node)
                where = self.document.spot(at, *span) if span else self.document.place(at)
                what = f'"{name}" has many values in a group.'
                self.say("not-grouped", where, what, f"gather it: `max({name})`, or add it to `group_by`.", column=column.name)
        return value

    def _of_measures(self, sql: str, at: Loc, rows: Rows, results: Rows, column: GroupedColumn) -> Value:
        """Return what an expression over the measures above gives; a column of the rows has no place in it."""
        for node in parsed(sql).find_all(exp.Column):
            name = node.parts[0].name
            if name.lower() in rows.columns and name.lower() not in results.columns:
                span = expression_span(node)
                where = self.document.spot(at, *span) if span else self.document.place(at)
                what = f'"{name}" has many values in a group, and the measure gathers none.'
                self.say("not-grouped", where, what, f"gather it: `sum({name})`, `max({name})`.", column=column.name)
                return Value()
        return self.read(sql, at, results, column=column.name)

    def _unused(self, rows: Rows) -> None:
        for i, join in enumerate(self.table.joins):
            for name in join.take:
                if name.lower() not in rows.used:
                    what = f'"{name}" is taken from {join.table}, and read by no column.'
                    self.say("unused-column", self.inside(("joins", i, "take"), name), what, "take what is needed only.")


def bare_columns(tree: exp.Expr) -> list[exp.Column]:
    """Return the columns that stand outside every aggregate."""
    found: list[exp.Column] = []

    def walk(node: exp.Expr) -> None:
        if isinstance(node, exp.Column):
            if not isinstance(node.this, exp.Star):
                found.append(node)
            return
        name = name_of(node)
        if isinstance(node, exp.Window | exp.Filter | exp.WithinGroup | exp.Query) or (name and is_aggregate(name)):
            return
        for part in node.iter_expressions():
            walk(part)

    walk(tree)
    return found
