"""What is wrong in a contract made by an SQL query, and where does each of its columns come from?"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from sqlglot import exp

from framework.spec.examine.contract import Examination, Rows, input_rows
from framework.spec.examine.grouped import bare_columns
from framework.spec.examine.rules import say_checks
from framework.spec.examine.select import Columns, Keys, Relation, Result, Select, SelectScope, maybe_null, not_null_in
from framework.spec.facts import DERIVED, Need, Origin
from framework.spec.problem import did_you_mean
from framework.spec.sql.functions import functions, is_aggregate
from framework.spec.sql.infer import Reading
from framework.spec.sql.parse import InvalidSqlError, name_of, parsed, parsed_query, span_of
from framework.spec.sql.types import UNKNOWN, read_type, reads_as, wider
from framework.spec.sql.values import NEVER, Value, union_of_nulls

if TYPE_CHECKING:
    from framework.spec.load import Loc
    from framework.spec.table import QueryTable


class QueryExamination(Examination):
    """A table made by SQL, looked at."""

    kind = "query"
    table: QueryTable

    def look(self) -> None:
        """Look at the query, its columns, the key and the checks."""
        try:
            tree = parsed_query(self.table.sql)
        except InvalidSqlError:
            return
        query = Query(self)
        output = query.output(tree, {}, [])
        if any(name not in self.around.names for name in self.table.inputs):
            return
        if output is None:
            self._unfollowed(query)
            return
        self.facts.reads |= query.reads
        rows = Rows({})
        given = output.columns
        for i, column in enumerate(self.table.columns):
            loc = ("columns", i)
            found = given.get(column.name.lower())
            if found is None:
                what = f'The query gives no column "{column.name}".'
                names = [name for name, _ in given.values()]
                self.say("unknown-column", (*loc, "name"), what, did_you_mean(column.name, names), column=column.name)
            value = found[1] if found else Value()
            is_plain = isinstance(query.plain.get(column.name.lower()), exp.Column)
            self.fits(value, column.type, (*loc, "type"), column.name, stops=True, is_plain=is_plain)
            rows.add(column.name, value.as_type(read_type(column.type)))
            self.say_method(column, query.said.get(column.name.lower()), value, loc)
        for name, node in query.names.items():
            if name in given and name not in rows.columns:
                span = span_of(node)
                where = self.document.spot(("sql",), *span) if span else self.document.place(("sql",))
                what = f'The query gives "{given[name][0]}", which the contract does not declare; it is dropped.'
                self.say("unused-column", where, what, "declare it, or take it out of the query.")
        say_checks(self, self.table.checks, ("checks",), rows)
        sure = self._never_null()
        for i, column in enumerate(self.table.columns):
            value = rows.columns[column.name.lower()]
            value = replace(value, nulls=NEVER) if column.name.lower() in sure else value
            self.keep(column, value, column.type, ("columns", i), query.said.get(column.name.lower(), ""))
        self._key()

    def _unfollowed(self, query: Query) -> None:
        """Keep facts of a table whose query cannot be followed, such as one with a pivot: personal data may be in every column."""
        rows = Rows({})
        for i, column in enumerate(self.table.columns):
            value = Value(read_type(column.type), None, query.everything if query.loose is None else query.loose)
            rows.add(column.name, value)
            self.say_method(column, None, value, ("columns", i))
            self.keep(column, value, column.type, ("columns", i), "a query that is not followed")
        say_checks(self, self.table.checks, ("checks",), rows)
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
                self.need_own(name, self.inside(("key",), name), what, fix)


class Query:
    """One query of one contract, read from the inside out."""

    def __init__(self, examination: Examination, loc: Loc = ("sql",)) -> None:
        """Take the examination that problems are told to, and where the query stands."""
        self.examination, self.loc = examination, loc
        self.reads: set[tuple[str, str]] = set()
        self.names: dict[str, exp.Expr] = {}
        self.plain: dict[str, exp.Expr] = {}
        self.said: dict[str, str] = {}
        self._depth = 0
        self.loose: frozenset[Origin] | None = None
        """What the outermost SELECT is made of, where its columns are not known one by one."""

    @cached_property
    def everything(self) -> frozenset[Origin]:
        """Return every column of every input: what cannot be followed is taken to be made of all of them."""
        around = self.examination.around
        return frozenset(
            Origin(name, column.lower(), DERIVED) for name in self.examination.table.inputs for column in around.columns(name) or ()
        )

    def report(self, code: str, node: exp.Expr, what: str, fix: str) -> None:
        """Tell a problem at its place in the YAML."""
        span = span_of(node)
        document = self.examination.document
        where = document.spot(self.loc, *span) if span else document.place(self.loc)
        self.examination.say(code, where, what, fix)

    def output(self, tree: exp.Expr, ctes: dict[str, Result | None], outer: list[Relation]) -> Result | None:
        """Return the columns of a query; None where they are not known."""
        self._depth += 1
        try:
            return self._output(tree, ctes, outer)
        finally:
            self._depth -= 1

    def _output(self, tree: exp.Expr, ctes: dict[str, Result | None], outer: list[Relation]) -> Result | None:
        ctes = dict(ctes)
        with_ = tree.args.get("with_") or tree.args.get("with")
        for cte in with_.expressions if with_ else ():
            found = self.output(cte.this, ctes, outer)
            renamed = [column.name for column in (cte.args["alias"].args.get("columns") or ())] if cte.args.get("alias") else []
            if found is not None and renamed:
                found = Result({new.lower(): (new, value) for new, (_, value) in zip(renamed, found.columns.values(), strict=False)})
            ctes[cte.alias.lower()] = found
        if isinstance(tree, exp.Subquery):
            return self.output(tree.this, ctes, outer)
        if isinstance(tree, exp.SetOperation):
            return self._set(tree, ctes, outer)
        return self._select(tree, ctes, outer) if isinstance(tree, exp.Select) else None

    def _set(self, tree: exp.SetOperation, ctes: dict[str, Result | None], outer: list[Relation]) -> Result | None:
        left, right = self.output(tree.this, ctes, outer), self.output(tree.expression, ctes, outer)
        if left is None or right is None:
            return None
        if len(left.columns) != len(right.columns):
            what = f"The two sides have {len(left.columns)} and {len(right.columns)} columns."
            self.report("type-mismatch", tree.expression, what, "select the same columns on both sides.")
            return left
        found: Columns = {}
        for (name, one), (_, other) in zip(left.columns.values(), right.columns.values(), strict=True):
            if reads_as(one.type, other.type) is not True:
                what = f'"{name}" is {one.type} on one side and {other.type} on the other.'
                self.report("type-mismatch", tree.expression, what, "cast them to one type.")
            both = wider(one.type, other.type) if one.type.is_known and other.type.is_known else UNKNOWN
            found[name.lower()] = (
                name,
                Value(both, union_of_nulls([one, other]), one.origins | other.origins, is_exact=one.is_exact and other.is_exact),
            )
        distinct = bool(tree.args.get("distinct"))
        return Result(found, (frozenset(found),) if distinct else ())

    def _select(self, tree: exp.Select, ctes: dict[str, Result | None], outer: list[Relation]) -> Result | None:
        select = Select(self, [], outer, ctes)
        source = tree.args.get("from_") or tree.args.get("from")
        if source:
            self._add(select, source.this, "")
        for join in tree.args.get("joins") or ():
            self._join(select, join)
        for lateral in tree.args.get("laterals") or ():
            self._lateral(select, lateral)
        where = tree.args.get("where")
        if where:
            self._read(select, where.this, is_condition=True)
            select.sure |= not_null_in(where.this)
        output = self._projections(tree, select)
        having, order = tree.args.get("having"), tree.args.get("order")
        if having:
            self._read(select, having.this, is_condition=True, may_aggregate=True)
        if order:
            select.aliases |= {name: value for name, (_, value) in (output.columns if output else {}).items()}
            for part in order.expressions:
                if not isinstance(part.this, exp.Literal):
                    self._read(select, part, may_aggregate=True)
        return output

    def _read(
        self, select: Select, node: exp.Expr, *, is_condition: bool = False, may_aggregate: bool = False, in_key: bool = False
    ) -> Value:
        reading = Reading(SelectScope(select), self.report, may_aggregate=may_aggregate, may_window=True)
        value = reading.condition(node) if is_condition else reading.value(node)
        for at, why in reading.unstable:
            code = "unstable-key" if in_key else "unstable-value"
            self.report(code, at, f"{why[0].upper()}{why[1:]}.", "use what was delivered, such as _load_timestamp.")
        return value

    def _add(self, select: Select, node: exp.Expr, side: str) -> None:
        """Add what stands in a FROM or JOIN to what the SELECT sees."""
        found: Result | None = None
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            found = self._table(node, select)
        elif isinstance(node, exp.Subquery):
            found = self.output(node.this, select.ctes, [*select.relations, *select.outer])
        origins = frozenset() if _makes_its_own(node) else self.everything
        if node.args.get("pivots"):
            if found:
                origins = frozenset().union(*(value.through(DERIVED) for _, value in found.columns.values()))
            found = None  # its columns come from the values
        columns, keys = (found.columns, found.keys) if found else (None, None)
        if side in {"RIGHT", "FULL"}:
            for relation in select.relations:
                relation.columns = maybe_null(relation.columns)
        if side in {"LEFT", "FULL"}:
            columns = maybe_null(columns)
        select.relations.append(Relation(node.alias_or_name, columns, keys, origins))

    def _lateral(self, select: Select, lateral: exp.Expr) -> None:
        """Add what a LATERAL VIEW makes of each row: its columns come from what its function is given."""
        value = self._read(select, lateral.this)
        alias = lateral.args.get("alias")
        names = [column.name for column in (alias.args.get("columns") or ())] if alias else []
        # One column of `explode` is an item; what others give is not known.
        type_ = value.type if len(names) == 1 else UNKNOWN
        columns = {name.lower(): (name, Value(type_, None, value.through(DERIVED))) for name in names}
        select.relations.append(Relation(lateral.alias or "", columns or None, None, value.through(DERIVED)))

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

    def _table(self, node: exp.Table, select: Select) -> Result | None:
        name = node.name
        if name.lower() in select.ctes:
            return select.ctes[name.lower()]
        if node.args.get("db"):
            fix = f"write `{name}`; the environment says where tables are."
            self.report("unknown-table", node, f'"{node.db}.{name}" names a schema.', fix)
            return None
        around = self.examination.around
        rows = input_rows(around, name)
        if rows is None:
            return None
        columns = {key: (rows.names[key], value) for key, value in rows.columns.items()}
        return Result(columns, tuple(frozenset(column.lower() for column in key) for key in around.keys(name)))

    def _join(self, select: Select, join: exp.Join) -> None:
        before = list(select.relations)
        side, kind = (join.side or "").upper(), (join.kind or "").upper()
        self._add(select, join.this, side)
        on, using = join.args.get("on"), join.args.get("using")
        if isinstance(on, exp.Boolean):
            # What sqlglot makes of a join without a condition.
            what = f"Every row is joined with every row of {join.this.alias_or_name}."
            self.report("ambiguous-join", join.this, what, "say `on …`; or write `cross join` where it is meant.")
        elif on:
            self._read(select, on, is_condition=True)
            self._say_nulls(select, on, side, kind)
            if kind not in {"SEMI", "ANTI"}:
                self._say_multiplies(select, on, join)
        elif using:
            self._using(select, before, using, side)
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
                    value = select.column(part, Reading(SelectScope(select), lambda *_: None))
                    self._need(part, value.nulls)

    def _need(self, node: exp.Column, nulls: frozenset[tuple[str, str]] | None) -> None:
        if not nulls:
            return
        span = span_of(node)
        document = self.examination.document
        where = self.examination.spotted(document.spot(("sql",), *span) if span else document.place(("sql",)))
        what = f"`{node.sql('databricks')}` may be null; rows without it find no match and are left out."
        fix = "use a left join, make the column `required` where it comes from, or accept the warning with a reason."
        self.examination.facts.needs += [Need(table, column, "nullable-join", where, what, fix) for table, column in nulls]

    def _projections(self, tree: exp.Select, select: Select) -> Result | None:
        group = tree.args.get("group")
        keys, key_names = self._keys(tree, select)
        is_gathered = bool(group) or any(_gathers(part) for part in tree.expressions)
        by_sets = group is not None and (
            any(group.args.get(kind) for kind in ("all", "rollup", "cube", "grouping_sets", "totals"))
            or any(isinstance(key, exp.Rollup | exp.Cube | exp.GroupingSets) for key in group.expressions)
        )
        output: Columns = {}
        is_known = True
        loose: set[Origin] = set()
        for i, part in enumerate(tree.expressions, 1):
            if part.is_star:
                expanded = self._star(part, select)
                is_known = is_known and expanded is not None
                output |= expanded or {}
                loose |= {origin for one in select.relations for origin in one.all_origins}
                continue
            value = self._read(select, part, may_aggregate=True)
            name = part.alias_or_name
            is_known = is_known and not _makes_several(part)
            if is_gathered and not by_sets:
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
            if self._depth == 1:
                self.loose = frozenset(loose.union(*(value.through(DERIVED) for _, value in output.values())))
            return None
        return Result(output, None if by_sets else _keys_of(tree, select, output, keys, is_gathered=is_gathered))

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

    def _star(self, part: exp.Expr, select: Select) -> Columns | None:
        alias = part.table if isinstance(part, exp.Column) else ""
        found: Columns = {}
        for relation in select.relations:
            if alias and relation.alias.lower() != alias.lower():
                continue
            if relation.columns is None:
                return None
            self.reads |= {(o.table, o.column) for _, value in relation.columns.values() for o in value.origins}
            found |= {key: one for key, one in relation.columns.items() if key not in found}
        return found


def _keys_of(tree: exp.Select, select: Select, output: Columns, keys: list[exp.Expr], *, is_gathered: bool) -> Keys:
    """Return which columns of a query's result name one row of it, where that follows from how it is made."""
    by_name = {part.alias_or_name.lower(): part.this if isinstance(part, exp.Alias) else part for part in tree.expressions}
    if tree.args.get("distinct"):
        return (frozenset(output),)
    if is_gathered:
        names = [next((name for name, node in by_name.items() if _same(node, key)), None) for key in keys]
        return (frozenset(name for name in names if name),) if all(names) else ()
    if len(select.relations) != 1:
        return None
    plain = {node.name.lower(): name for name, node in by_name.items() if isinstance(node, exp.Column) and not node.is_star}
    if any(part.is_star for part in tree.expressions):
        plain = {name: name for name in output} | plain
    return tuple(frozenset(plain[name] for name in key) for key in select.relations[0].keys or () if set(key) <= set(plain))


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


def _makes_its_own(node: exp.Expr) -> bool:
    """Tell whether a relation holds nothing of any table, such as `values (…)` or `range(…)`."""
    return isinstance(node, exp.Values) or (isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier))


def _makes_several(node: exp.Expr) -> bool:
    """Tell whether a projection makes columns of its own, such as `inline(…)` or `stack(…)`."""
    inner = node.this if isinstance(node, exp.Alias | exp.Aliases) else node
    name = name_of(inner)
    known = functions().get(name or "")
    return known is not None and known.group == "generator" and name not in {"explode", "explode_outer"}


def _gathers(node: exp.Expr) -> bool:
    for one in node.walk(prune=lambda part: isinstance(part, exp.Query | exp.Window)):
        name = name_of(one)
        if name and is_aggregate(name):
            return True
    return False
