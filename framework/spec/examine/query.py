"""What is wrong in a contract made by an SQL query, and where does each of its columns come from?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from framework.spec.examine.contract import Examination, Rows, input_rows
from framework.spec.examine.grouped import bare_columns
from framework.spec.examine.rules import say_checks
from framework.spec.facts import Need
from framework.spec.problem import did_you_mean
from framework.spec.sql.functions import is_aggregate
from framework.spec.sql.infer import Reading
from framework.spec.sql.operators import of_field
from framework.spec.sql.parse import InvalidSqlError, name_of, parsed, parsed_query, span_of
from framework.spec.sql.types import UNKNOWN, read_type, reads_as, wider
from framework.spec.sql.values import NEVER, Columns, Value, union_of_nulls

if TYPE_CHECKING:
    from framework.spec.table import QueryTable

Output = dict[str, tuple[str, Value]]
Columns_ = dict[str, tuple[str, Value]] | None
"""Columns of a query by lower-case name: the name as written, and what is known of the values."""


class QueryExamination(Examination):
    """A table made by SQL, looked at."""

    table: QueryTable

    def look(self) -> None:
        """Look at the query, its columns, the key and the checks."""
        try:
            tree = parsed_query(self.table.sql)
        except InvalidSqlError:
            return
        query = Query(self)
        output = query.output(tree, {}, [])
        if output is None or any(name not in self.around.names for name in self.table.inputs):
            return
        self.facts.reads |= query.reads
        rows = Rows({})
        for i, column in enumerate(self.table.columns):
            loc = ("columns", i)
            found = output.get(column.name.lower())
            if found is None:
                what = f'The query gives no column "{column.name}".'
                names = [name for name, _ in output.values()]
                self.say("unknown-column", (*loc, "name"), what, did_you_mean(column.name, names), column=column.name)
            value = found[1] if found else Value()
            is_plain = isinstance(query.plain.get(column.name.lower()), exp.Column)
            self.fits(value, column.type, (*loc, "type"), column.name, stops=True, is_plain=is_plain)
            rows.add(column.name, value.as_type(read_type(column.type)))
            self.say_method(column, query.said.get(column.name.lower()), value, loc)
        for name, node in query.names.items():
            if name in output and name not in rows.columns:
                span = span_of(node)
                where = self.document.spot(("sql",), *span) if span else self.document.place(("sql",))
                what = f'The query gives "{output[name][0]}", which the contract does not declare; it is dropped.'
                self.say("unused-column", where, what, "declare it, or take it out of the query.")
        say_checks(self, self.table.checks, ("checks",), rows)
        sure = self._never_null()
        for i, column in enumerate(self.table.columns):
            value = rows.columns[column.name.lower()]
            value = replace(value, nulls=NEVER) if column.name.lower() in sure else value
            self.keep(column, value, column.type, ("columns", i), query.said.get(column.name.lower(), ""))
        self._key()

    def _never_null(self) -> set[str]:
        """Return the columns that a check keeps nulls out of."""
        found: set[str] = set()
        for check in self.table.checks:
            if check.otherwise != "warn":
                found |= not_null_in(parsed(check.sql))
        return found

    def _key(self) -> None:
        self.facts.uses |= {name.lower() for name in self.table.key}
        if not self.known(self.table.key, ("key",), self.table.column_names):
            return
        for name in self.table.key:
            if self.facts.columns[name.lower()].nulls != ():
                what = f"{name} may be null, and is part of the key."
                fix = f"leave rows without it out by a check, write `coalesce({name}, …)`, or accept the warning with a reason."
                where = self.spotted(self.inside(("key",), name))
                self.facts.needs.append(Need(self.table.table, name.lower(), "nullable-key", where, what, fix))


def not_null_in(tree: exp.Expr) -> set[str]:
    """Return the columns that are not null where a condition is true.

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


@dataclass
class Relation:
    """A table, a subquery or a `with` name, as it stands in a FROM."""

    alias: str
    columns: dict[str, tuple[str, Value]] | None
    """None where the columns are not known."""
    keys: tuple[frozenset[str], ...] | None = None
    """Sets of columns that name one row at most each; None where it is not known."""


@dataclass
class Select:
    """What the expressions of one SELECT see: its relations, and those around it."""

    query: Query
    relations: list[Relation]
    outer: list[Relation]
    ctes: dict[str, Output | None]
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
                return Value()
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
            return Value()
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
        if isinstance(node, exp.Exists) or not output:
            return Value(nulls=NEVER)
        return replace(next(iter(output.values()))[1], nulls=None)


@dataclass
class _Scope:
    select: Select

    def column(self, node: exp.Column, reading: Reading) -> Value:
        """Return what a reference gives."""
        return self.select.column(node, reading)

    def query(self, node: exp.Expr, _: Reading) -> Value:
        """Return what a subquery gives."""
        return self.select.query_value(node)


class Query:
    """One query of one contract, read from the inside out."""

    def __init__(self, examination: Examination) -> None:
        """Take the examination that problems are told to."""
        self.examination = examination
        self.reads: set[tuple[str, str]] = set()
        self.names: dict[str, exp.Expr] = {}
        self.plain: dict[str, exp.Expr] = {}
        self.said: dict[str, str] = {}
        self._depth = 0
        self._kept: list[Output] = []
        self._keys_of: dict[int, tuple[frozenset[str], ...]] = {}

    def report(self, code: str, node: exp.Expr, what: str, fix: str) -> None:
        """Tell a problem at its place in the YAML."""
        span = span_of(node)
        document = self.examination.document
        where = document.spot(("sql",), *span) if span else document.place(("sql",))
        self.examination.say(code, where, what, fix)

    def output(self, tree: exp.Expr, ctes: dict[str, Output | None], outer: list[Relation]) -> Output | None:
        """Return the columns of a query; None where they are not known."""
        self._depth += 1
        try:
            return self._output(tree, ctes, outer)
        finally:
            self._depth -= 1

    def _output(self, tree: exp.Expr, ctes: dict[str, Output | None], outer: list[Relation]) -> Output | None:
        ctes = dict(ctes)
        with_ = tree.args.get("with_") or tree.args.get("with")
        for cte in with_.expressions if with_ else ():
            found = self.output(cte.this, ctes, outer)
            renamed = [column.name for column in (cte.args["alias"].args.get("columns") or ())] if cte.args.get("alias") else []
            if found is not None and renamed:
                found = {new.lower(): (new, value) for new, (_, value) in zip(renamed, found.values(), strict=False)}
            ctes[cte.alias.lower()] = found
        if isinstance(tree, exp.Subquery):
            return self.output(tree.this, ctes, outer)
        if isinstance(tree, exp.SetOperation):
            return self._set(tree, ctes, outer)
        return self._select(tree, ctes, outer) if isinstance(tree, exp.Select) else None

    def _set(self, tree: exp.SetOperation, ctes: dict[str, Output | None], outer: list[Relation]) -> Output | None:
        left, right = self.output(tree.this, ctes, outer), self.output(tree.expression, ctes, outer)
        if left is None or right is None:
            return None
        if len(left) != len(right):
            what = f"The two sides have {len(left)} and {len(right)} columns."
            self.report("type-mismatch", tree.expression, what, "select the same columns on both sides.")
            return left
        found: Output = {}
        for (name, one), (_, other) in zip(left.values(), right.values(), strict=True):
            if reads_as(one.type, other.type) is not True:
                what = f'"{name}" is {one.type} on one side and {other.type} on the other.'
                self.report("type-mismatch", tree.expression, what, "cast them to one type.")
            both = wider(one.type, other.type) if one.type.is_known and other.type.is_known else UNKNOWN
            found[name.lower()] = (
                name,
                Value(both, union_of_nulls([one, other]), one.origins | other.origins, is_exact=one.is_exact and other.is_exact),
            )
        return found

    def _select(self, tree: exp.Select, ctes: dict[str, Output | None], outer: list[Relation]) -> Output | None:
        select = Select(self, [], outer, ctes)
        source = tree.args.get("from_") or tree.args.get("from")
        if source:
            self._add(select, source.this, "")
        for join in tree.args.get("joins") or ():
            self._join(select, join)
        for lateral in tree.args.get("laterals") or ():
            select.relations.append(Relation(lateral.alias or "", None))
        where = tree.args.get("where")
        if where:
            self._read(select, where.this, is_condition=True)
            select.sure |= not_null_in(where.this)
        output = self._projections(tree, select)
        having, order = tree.args.get("having"), tree.args.get("order")
        if having:
            self._read(select, having.this, is_condition=True, may_aggregate=True)
        if order:
            known = {name: value for name, (_, value) in (output or {}).items()}
            select.aliases |= known
            for part in order.expressions:
                if not isinstance(part.this, exp.Literal):
                    self._read(select, part, may_aggregate=True)
        return output

    def _read(
        self, select: Select, node: exp.Expr, *, is_condition: bool = False, may_aggregate: bool = False, in_key: bool = False
    ) -> Value:
        reading = Reading(_Scope(select), self.report, may_aggregate=may_aggregate, may_window=True)
        value = reading.condition(node) if is_condition else reading.value(node)
        for at, why in reading.unstable:
            code = "unstable-key" if in_key else "unstable-value"
            self.report(code, at, f"{why[0].upper()}{why[1:]}.", "use what was delivered, such as _load_timestamp.")
        return value

    def _add(self, select: Select, node: exp.Expr, side: str) -> None:
        """Add what stands in a FROM or JOIN to what the SELECT sees."""
        alias = node.alias_or_name
        keys: tuple[frozenset[str], ...] | None = None
        columns: dict[str, tuple[str, Value]] | None = None
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            columns = self._table(node, select)
            keys = self._table_keys(node, select, columns)
        elif isinstance(node, exp.Subquery):
            columns = self.output(node.this, select.ctes, [*select.relations, *select.outer])
            keys = self._keys_of.get(id(columns))
        if side in {"RIGHT", "FULL"}:
            for relation in select.relations:
                relation.columns = _maybe_null(relation.columns)
        if side in {"LEFT", "FULL"}:
            columns = _maybe_null(columns)
        select.relations.append(Relation(alias, columns, keys))

    def _table_keys(self, node: exp.Table, select: Select, columns: Columns_) -> tuple[frozenset[str], ...] | None:
        if node.name.lower() in select.ctes:
            return self._keys_of.get(id(columns))
        around = self.examination.around
        if node.name in around.references and node.name not in around.outlines:
            reference = around.references[node.name]
            return tuple(frozenset({name.lower()}) for name in reference.columns if not reference.repeats(name))
        if node.name not in around.outlines:
            return None
        key = around.key(node.name)
        return (frozenset(name.lower() for name in key),) if key else ()

    def _say_multiplies(self, select: Select, on: exp.Expr, join: exp.Join) -> None:
        """Note a join whose equal columns are the whole key of neither side."""
        right = select.relations[-1]
        equal: dict[str, set[str]] = {}
        for one in on.find_all(exp.EQ):
            for part in (one.this, one.expression):
                if isinstance(part, exp.Column):
                    relation = self._holder(select, part)
                    if relation:
                        equal.setdefault(relation.alias.lower(), set()).add(part.name.lower())
        others = [one for one in select.relations[:-1] if one.alias.lower() in equal]
        if right.keys is None or not others or any(one.keys is None for one in others):
            return
        for side in (right, *others):
            if any(key <= equal.get(side.alias.lower(), set()) for key in side.keys or ()):
                return
        named = ", ".join(sorted(equal.get(right.alias.lower(), set())))
        what = f"Nothing says that {named} names one row of {right.alias}, nor one of {', '.join(one.alias for one in others)}."
        fix = "join on the whole key of one side, gather one side first, or accept the warning with a reason."
        self.report("multiplying-join", join.this, what, fix)

    @staticmethod
    def _holder(select: Select, node: exp.Column) -> Relation | None:
        if node.table:
            return next((one for one in select.relations if one.alias.lower() == node.table.lower()), None)
        return next((one for one in select.relations if one.columns and node.name.lower() in one.columns), None)

    def _table(self, node: exp.Table, select: Select) -> dict[str, tuple[str, Value]] | None:
        name = node.name
        if name.lower() in select.ctes:
            return select.ctes[name.lower()]
        if node.args.get("db"):
            self.report(
                "unknown-table", node, f'"{node.db}.{name}" names a schema.', f"write `{name}`; the environment says where tables are."
            )
            return None
        rows = input_rows(self.examination.around, name)
        return {key: (rows.names[key], value) for key, value in rows.columns.items()} if rows else None

    def _join(self, select: Select, join: exp.Join) -> None:
        before = list(select.relations)
        side, kind = (join.side or "").upper(), (join.kind or "").upper()
        self._add(select, join.this, side)
        on, using = join.args.get("on"), join.args.get("using")
        if on:
            self._read(select, on, is_condition=True)
            self._say_nulls(select, on, side, kind)
            if kind not in {"SEMI", "ANTI"}:
                self._say_multiplies(select, on, join)
        elif using:
            self._using(select, before, using, side)
        elif kind != "CROSS" and not join.args.get("method") and not isinstance(join.this, exp.Lateral | exp.Unnest):
            what = f"Every row is joined with every row of {join.this.alias_or_name}."
            self.report("ambiguous-join", join.this, what, "say `on …`; or write `cross join` where it is meant.")
        if kind in {"SEMI", "ANTI"} or side in {"SEMI", "ANTI"}:
            select.relations.pop()

    def _using(self, select: Select, before: list[Relation], using: list[exp.Expr], side: str) -> None:
        right = select.relations[-1]
        for name in using:
            key = name.name.lower()
            left = next((one for one in before if one.columns and key in one.columns), None)
            for relation, there in ((left, left is not None), (right, right.columns is None or key in right.columns)):
                if not there and all(one.columns is not None for one in before):
                    seen = [one for other in select.relations for one, _ in (other.columns or {}).values()]
                    what = f'"{name.name}" is not a column of {relation.alias if relation else "the tables before"}.'
                    self.report("unknown-column", name, what, did_you_mean(name.name, seen))
            if left and left.columns and right.columns and key in right.columns:
                self.reads |= {(o.table, o.column) for one in (left.columns[key], right.columns[key]) for o in one[1].origins}
                if reads_as(left.columns[key][1].type, right.columns[key][1].type) is False:
                    self.report("type-mismatch", name, f'"{name.name}" has types that are never equal.', "join columns of one type.")
                right.columns = {one: value for one, value in right.columns.items() if one != key}
                if side in {"RIGHT", "FULL"}:
                    left.columns = {**left.columns, key: (left.columns[key][0], replace(left.columns[key][1], nulls=None))}

    def _say_nulls(self, select: Select, on: exp.Expr, side: str, kind: str) -> None:
        """Note columns of an inner join's condition that may be null, so that rows leave the result."""
        if side or kind not in {"", "INNER"}:
            return
        for equal in on.find_all(exp.EQ):
            for part in (equal.this, equal.expression):
                if isinstance(part, exp.Column):
                    value = select.column(part, Reading(_Scope(select), lambda *_: None))
                    self._need(part, value.nulls)

    def _need(self, node: exp.Column, nulls: Columns | None) -> None:
        if not nulls:
            return
        span = span_of(node)
        document = self.examination.document
        where = self.examination.spotted(document.spot(("sql",), *span) if span else document.place(("sql",)))
        what = f"`{node.sql('databricks')}` may be null; rows without it find no match and are left out."
        fix = "use a left join, make the column `required` where it comes from, or accept the warning with a reason."
        self.examination.facts.needs += [Need(table, column, "nullable-join", where, what, fix) for table, column in nulls]

    def _projections(self, tree: exp.Select, select: Select) -> Output | None:
        group = tree.args.get("group")
        keys, key_names = self._keys(tree, select)
        is_gathered = bool(group) or any(_gathers(part) for part in tree.expressions)
        output: Output = {}
        is_known = True
        for i, part in enumerate(tree.expressions, 1):
            if part.is_star:
                expanded = self._star(part, select)
                is_known = is_known and expanded is not None
                output |= expanded or {}
                continue
            value = self._read(select, part, may_aggregate=True)
            name = part.alias_or_name
            if is_gathered and not (group and group.args.get("all")):
                self._say_not_grouped(part, keys, key_names)
            if not name:
                name = f"_col{i}"
            if name.lower() in output and self._depth == 1:
                self.report("duplicate-column", part, f'The query gives "{name}" twice.', "name each column once.")
            output[name.lower()] = (name, value)
            select.aliases[name.lower()] = value
            if self._depth == 1:
                self.names[name.lower()] = part
                self.plain[name.lower()] = part.this if isinstance(part, exp.Alias) else part
                self.said[name.lower()] = (part.this if isinstance(part, exp.Alias) else part).sql("databricks", normalize_functions=False)
        if not is_known:
            return None
        self._note_key(tree, select, output, keys, is_gathered=is_gathered)
        return output

    def _note_key(self, tree: exp.Select, select: Select, output: Output, keys: list[exp.Expr], *, is_gathered: bool) -> None:
        """Note which columns of a query's result name one row of it, where that follows from how it is made."""
        by_node = {part.alias_or_name.lower(): part.this if isinstance(part, exp.Alias) else part for part in tree.expressions}
        if tree.args.get("distinct"):
            self._keys_of[id(output)] = (frozenset(output),)
        elif is_gathered:
            names = [next((name for name, node in by_node.items() if _same(node, key)), None) for key in keys]
            self._keys_of[id(output)] = (frozenset(name for name in names if name),) if all(names) else ()
        elif len(select.relations) == 1 and select.relations[0].keys is not None:
            plain = {node.name.lower(): name for name, node in by_node.items() if isinstance(node, exp.Column) and not node.is_star}
            starred = any(part.is_star for part in tree.expressions)
            found = [
                frozenset(name if starred and name not in plain else plain[name] for name in key)
                for key in select.relations[0].keys
                if all(name in plain or (starred and name in output) for name in key)
            ]
            self._keys_of[id(output)] = tuple(found)
        self._kept.append(output)  # an id stays its own only as long as the thing lives

    def _keys(self, tree: exp.Select, select: Select) -> tuple[list[exp.Expr], set[str]]:
        """Return what a query groups by, and the names among it."""
        group = tree.args.get("group")
        keys: list[exp.Expr] = []
        names: set[str] = set()
        for key in group.expressions if group else ():
            found = key
            if isinstance(key, exp.Literal) and not key.is_string and 0 < int(key.name) <= len(tree.expressions):
                found = tree.expressions[int(key.name) - 1]
            if isinstance(found, exp.Column) and not found.table:
                names.add(found.name.lower())
                alias = next(
                    (one for one in tree.expressions if isinstance(one, exp.Alias) and one.alias.lower() == found.name.lower()), None
                )
                visible = any(one.columns is None or found.name.lower() in one.columns for one in select.relations)
                found = alias.this if alias and not visible else found
            found = found.this if isinstance(found, exp.Alias) else found
            self._read(select, found, in_key=True)
            keys.append(found)
            if isinstance(found, exp.Column):
                names.add(found.name.lower())
        return keys, names

    def _say_not_grouped(self, part: exp.Expr, keys: list[exp.Expr], names: set[str]) -> None:
        node = part.this if isinstance(part, exp.Alias) else part
        if any(_same(node, key) for key in keys):
            return
        for column in bare_columns(node):
            inside_key = any(_same(parent, key) for key in keys for parent in _up(column, node))
            if column.name.lower() not in names and column.parts[0].name.lower() not in names and not inside_key:
                fix = f"gather it: `max({column.name})`, or add it to `group by`."
                self.report("not-grouped", column, f'"{column.name}" has many values in a group.', fix)

    def _star(self, part: exp.Expr, select: Select) -> Output | None:
        alias = part.table if isinstance(part, exp.Column) else ""
        found: Output = {}
        for relation in select.relations:
            if alias and relation.alias.lower() != alias.lower():
                continue
            if relation.columns is None:
                return None
            self.reads |= {(o.table, o.column) for _, value in relation.columns.values() for o in value.origins}
            found |= {key: one for key, one in relation.columns.items() if key not in found}
        return found


def _up(node: exp.Expr, top: exp.Expr) -> list[exp.Expr]:
    found = []
    current: exp.Expr | None = node
    while current is not None and current is not top:
        current = current.parent
        if current is not None:
            found.append(current)
    return found


def _same(one: exp.Expr, other: exp.Expr) -> bool:
    return one == other or one.sql("databricks").lower() == other.sql("databricks").lower()


def _gathers(node: exp.Expr) -> bool:
    for one in node.walk(prune=lambda part: isinstance(part, exp.Query | exp.Window)):
        name = name_of(one)
        if name and is_aggregate(name):
            return True
    return False


def _maybe_null(columns: dict[str, tuple[str, Value]] | None) -> dict[str, tuple[str, Value]] | None:
    if columns is None:
        return None
    return {key: (name, replace(value, nulls=None, is_nonzero=False)) for key, (name, value) in columns.items()}
