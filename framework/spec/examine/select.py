"""What do the expressions of one SELECT see: its tables, those around it, and what it has named so far?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from framework.spec.facts import DERIVED
from framework.spec.problem import did_you_mean
from framework.spec.sql.operators import of_field
from framework.spec.sql.values import NEVER, Value

if TYPE_CHECKING:
    from framework.spec.examine.query import Query
    from framework.spec.facts import Origin
    from framework.spec.sql.infer import Reading

Columns = dict[str, tuple[str, Value]]
"""Columns by lower-case name: the name as written, and what is known of the values."""

Keys = tuple[frozenset[str], ...] | None
"""Sets of columns of which each names one row at most; None where it is not known."""


@dataclass
class Result:
    """What a query gives."""

    columns: Columns
    keys: Keys = None


@dataclass
class Relation:
    """A table, a subquery or a `with` name, as it stands in a FROM."""

    alias: str
    columns: Columns | None
    """None where the columns are not known."""
    keys: Keys = None
    origins: frozenset[Origin] = frozenset()
    """What values may come from where the columns are not known."""

    @property
    def all_origins(self) -> frozenset[Origin]:
        """Return what any of its values may come from."""
        if self.columns is None:
            return self.origins
        return frozenset().union(*(value.through(DERIVED) for _, value in self.columns.values()))


@dataclass
class Select:
    """What the expressions of one SELECT see: its relations, and those around it."""

    query: Query
    relations: list[Relation]
    outer: list[Relation]
    ctes: dict[str, Result | None]
    aliases: dict[str, Value] = field(default_factory=dict)
    sure: set[str] = field(default_factory=set)
    """Columns that the WHERE keeps nulls out of."""

    def column(self, node: exp.Column, reading: Reading) -> Value:
        """Return what a reference gives: `column`, `alias.column`, and fields of structs behind either."""
        first, *rest = node.parts
        if isinstance(first, exp.Star):
            return Value()
        if first.name.lower() in reading.bound:
            return of_field(reading.bound[first.name.lower()], rest, reading)
        for scope in (self.relations, self.outer):
            qualified = next((one for one in scope if one.alias.lower() == first.name.lower()), None)
            if qualified and rest and not isinstance(rest[0], exp.Star):
                return self._of(qualified, rest[0], rest[1:], reading)
            holding = [one for one in scope if one.columns is None or first.name.lower() in one.columns]
            known = [one for one in holding if one.columns is not None]
            if len(known) > 1:
                names = ", ".join(f"{one.alias}.{first.name}" for one in known)
                reading.report(
                    "ambiguous-column", first, f'Several tables of the query have a column "{first.name}".', f"write one of {names}."
                )
                return Value()
            if known:
                return self._of(known[0], first, rest, reading)
            if holding:
                return Value(origins=holding[0].origins)
        if first.name.lower() in self.aliases:
            return of_field(self.aliases[first.name.lower()], rest, reading)
        seen = [name for one in self.relations for name, _ in (one.columns or {}).values()]
        if rest:
            aliases = [one.alias for one in (*self.relations, *self.outer)]
            fix = did_you_mean(first.name, [*aliases, *seen])
            reading.report("unknown-column", first, f'There is no table and no column "{first.name}" in the query here.', fix)
        else:
            reading.report("unknown-column", first, f'There is no column "{first.name}" here.', did_you_mean(first.name, seen))
        return Value()

    def _of(self, relation: Relation, name: exp.Expr, fields: list[exp.Expr], reading: Reading) -> Value:
        if relation.columns is None:
            return Value(origins=relation.origins)
        found = relation.columns.get(name.name.lower())
        if found is None:
            names = [one for one, _ in relation.columns.values()]
            reading.report("unknown-column", name, f'"{relation.alias}" has no column "{name.name}".', did_you_mean(name.name, names))
            return Value()
        self.query.reads |= {(origin.table, origin.column) for origin in found[1].origins}
        value = replace(found[1], nulls=NEVER) if name.name.lower() in self.sure else found[1]
        return of_field(value, fields, reading)

    def query_value(self, node: exp.Expr) -> Value:
        """Return what a subquery gives as a value."""
        inner = node.this if isinstance(node, exp.Subquery | exp.Exists) else node
        if not isinstance(inner, exp.Query):
            return Value()
        output = self.query.output(inner, self.ctes, [*self.relations, *self.outer])
        if isinstance(node, exp.Exists):
            return Value(nulls=NEVER)
        if not output:
            return Value(origins=self.query.everything)
        return replace(next(iter(output.columns.values()))[1], nulls=None)


@dataclass
class SelectScope:
    """A SELECT as the scope of one of its expressions."""

    select: Select

    def column(self, node: exp.Column, reading: Reading) -> Value:
        """Return what a reference gives."""
        return self.select.column(node, reading)

    def query(self, node: exp.Expr, _: Reading) -> Value:
        """Return what a subquery gives."""
        return self.select.query_value(node)


def maybe_null(columns: Columns | None) -> Columns | None:
    """Return columns of the side of a join that may have no match."""
    if columns is None:
        return None
    return {key: (name, replace(value, nulls=None, is_nonzero=False)) for key, (name, value) in columns.items()}


def not_null_in(tree: exp.Expr) -> set[str]:
    """Return the columns that are not null where a condition is true.

    >>> from framework.spec.sql.parse import parsed
    >>> sorted(not_null_in(parsed("a is not null and (b is not null or c > 1)")))
    ['a']
    """
    if isinstance(tree, exp.And):
        return not_null_in(tree.this) | not_null_in(tree.expression)
    if isinstance(tree, exp.Paren):
        return not_null_in(tree.this)
    if isinstance(tree, exp.Not) and isinstance(tree.this, exp.Is) and isinstance(tree.this.expression, exp.Null):
        inner = tree.this.this
        return {inner.parts[-1].name.lower()} if isinstance(inner, exp.Column) else set()
    return set()
