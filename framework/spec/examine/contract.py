"""What is wrong in one contract, and what follows from it? What all kinds of contract have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp

from framework.spec.codes import CODES
from framework.spec.facts import AGGREGATED, ColumnFacts, Facts, Need, Origin, Spot
from framework.spec.problem import Place, Problem, did_you_mean
from framework.spec.sql.infer import Reading
from framework.spec.sql.operators import of_field
from framework.spec.sql.parse import InvalidSqlError, expression_span, name_of, parsed
from framework.spec.sql.types import UNKNOWN, Type, loss, never_casts, read_type
from framework.spec.sql.values import NEVER, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framework.spec.columns import Column, Declassified
    from framework.spec.examine.around import Around
    from framework.spec.load import Loc
    from framework.spec.reading import Contract


@dataclass
class Rows:
    """The columns that an expression over one row sees."""

    columns: dict[str, Value]
    """By lower-case name."""
    names: dict[str, str] = field(default_factory=dict)
    parts: dict[str, set[str]] = field(default_factory=dict)
    """Fields that were read of the columns named here; `*` where a column was read whole."""
    used: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    """The table's own columns, which hide the source's of the same name."""
    own_used: set[str] = field(default_factory=set)
    below: set[str] = field(default_factory=set)
    """The table's own columns that are declared further down, and that the source has too."""

    def add(self, name: str, value: Value, *, is_own: bool = False) -> None:
        """Let expressions see a column."""
        self.columns[name.lower()] = value
        self.names[name.lower()] = name
        if is_own:
            self.own.add(name.lower())

    def use(self, name: str, part: str = "*") -> None:
        """Note that a column, or a field of it, is read."""
        (self.own_used if name.lower() in self.own else self.used).add(name.lower())
        self.parts.setdefault(name.lower(), set()).add(part)

    def column(self, node: exp.Column, reading: Reading) -> Value:
        """Return what a reference gives; what follows the first name are fields of a struct."""
        first, *fields = node.parts
        if isinstance(first, exp.Star):
            return Value()
        name = first.name.lower()
        value = reading.bound.get(name) or self.columns.get(name)
        if value is None:
            reading.report(
                "unknown-column", first, f'There is no column "{first.name}" here.', did_you_mean(first.name, self.names.values())
            )
            return Value()
        self.use(name, fields[0].name.lower() if fields else "*")
        if name in self.below and name not in reading.bound:
            what = f'"{first.name}" is the source\'s here; the table\'s own "{first.name}" is declared below.'
            reading.report("read-before-declared", first, what, "move this column below it.")
        return of_field(value, fields, reading)

    def query(self, node: exp.Expr, reading: Reading) -> Value:
        """Report that a query has no place in an expression."""
        reading.report(
            "misplaced-query", node, "An expression holds a query.", "take the column with `joins` or `lookup`, or make the table by `sql`."
        )
        return Value()


class Examination:
    """One contract, looked at; subclasses know the kinds."""

    kind: ClassVar[str]
    """The kind of contract, in a word that is kept with its facts."""

    def __init__(self, contract: Contract, around: Around) -> None:
        """Take the contract and what it may refer to."""
        table = contract.table
        self.table, self.document, self.around, self.defaults = table, contract.document, around, contract.origins
        self.broken = contract.broken
        self._name = str(self.document.path.relative_to(around.root))
        self.problems: list[Problem] = []
        self.facts = Facts(
            table.table,
            table.layer,
            self.kind,
            self.spot("table"),
            {},
            dict(table.inputs),
            owner=table.owner,
            masked_for=list(table.masked_for),
            masks={column.name.lower(): bool(column.mask) for column in table.all_columns if column.mask is not None},
        )

    def examine(self) -> tuple[Facts, list[Problem]]:
        """Return what follows from the contract, and what is wrong in it."""
        self.say_names()
        self.say_inputs()
        self.look()
        self.say_grants()
        self.say_filter()
        self.say_retention()
        self.say_accepted()
        return self.facts, self.problems

    def look(self) -> None:
        """Look at what only this kind of contract has."""
        raise NotImplementedError

    # Places and problems

    def spot(self, *loc: int | str) -> Spot:
        """Return the place of the value at `loc`, as it is kept between runs."""
        return self.spotted(self.document.place(loc))

    def spotted(self, place: Place) -> Spot:
        """Return a place as it is kept between runs."""
        path, line, column, length = place
        name = self._name if path is self.document.path else str(path.relative_to(self.around.root))
        return Spot(name, line, column, length)

    def say(  # noqa: PLR0913 - the parts of a problem
        self, code: str, loc: Loc | Place, what: str, fix: str, *, column: str = "", is_key: bool = False
    ) -> None:
        """Note a problem at `loc`; of a column that could not be read nothing more is said."""
        if column and column.lower() in self.broken:
            return
        where = loc if isinstance(loc, Place) else self.document.key(loc) if is_key else self.document.place(loc)
        self.problems.append(Problem(where, code, what, CODES[code].why, fix, self.table.table, column))

    def need(self, names: Iterable[tuple[str, str]], code: str, loc: Loc, what: str, fix: str) -> None:
        """Note input columns that should not be null; whether they may be is known once all contracts are."""
        self.facts.needs += [Need(table, column, code, self.spot(*loc), what, fix) for table, column in names]

    def need_own(self, column: str, where: Place, what: str, fix: str) -> None:
        """Note a column of the table's own key that should not be null."""
        self.facts.needs.append(Need(self.table.table, column.lower(), "nullable-key", self.spotted(where), what, fix))

    def known(self, names: Iterable[str], loc: Loc, visible: Iterable[str], *, column: str = "") -> bool:
        """Note every name that is not among the visible ones; tell whether all are."""
        visible = tuple(visible)
        lower = {name.lower() for name in visible}
        unknown = [name for name in names if name.lower() not in lower]
        for name in unknown:
            self.say(
                "unknown-column", self.inside(loc, name), f'There is no column "{name}" here.', did_you_mean(name, visible), column=column
            )
        return not unknown

    def inside(self, loc: Loc, name: str) -> Place:
        """Return the place of `name` in the list or mapping at `loc`."""
        value = self.document.at(loc)
        if isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, str) and (item == name or item.split(" ")[0] == name):
                    return self.document.place((*loc, i))
        if isinstance(value, dict):
            for key, item in value.items():
                if item == name:
                    return self.document.place((*loc, key))
            if name in value:
                return self.document.key((*loc, name))
        return self.document.place(loc)

    # Expressions

    def read(  # noqa: PLR0913 - one expression, and what may stand in it
        self,
        sql: str,
        loc: Loc,
        rows: Rows,
        *,
        column: str = "",
        may_aggregate: bool = False,
        is_condition: bool = False,
        in_key: bool = False,
    ) -> Value:
        """Return what an expression gives; notes what is wrong in it."""
        try:
            tree = parsed(sql)
        except InvalidSqlError:
            return Value()

        def report(code: str, node: exp.Expr, what: str, fix: str) -> None:
            span = expression_span(node)
            where = self.document.spot(loc, *span) if span else self.document.place(loc)
            self.say(code, where, what, fix, column=column)

        reading = Reading(rows, report, may_aggregate=may_aggregate)
        value = reading.condition(tree) if is_condition else reading.value(tree)
        for node, why in reading.unstable:
            if in_key:
                report("unstable-key", node, f"{why[0].upper()}{why[1:]}, and a key is made of it.", "make keys of what was delivered.")
            else:
                report("unstable-value", node, f"{why[0].upper()}{why[1:]}.", "use what was delivered, such as _load_timestamp.")
        return value

    def fits(  # noqa: PLR0913 - a value, its type, and how strictly they are compared
        self, value: Value, declared: str, loc: Loc, column: str, *, stops: bool, may_lose: bool = False, is_plain: bool = False
    ) -> None:
        """Note where a value cannot become the declared type, or loses something.

        `stops` tells whether bad text stops a run; `is_plain` that no expression stands between the input and the column.
        """
        type_ = read_type(declared)
        if not value.type.is_known:
            return
        if never_casts(value.type, type_):
            what = f"The value is of type {value.type}; it can never become {type_}."
            self.say("type-mismatch", loc, what, f"declare `type: {value.type}`, or cast it to what was meant.", column=column)
        elif stops and value.type.family == "text" and type_.family not in {"text", "binary"} and not value.is_constant:
            what = f"The value is text; cast to {type_}, it stops the table at the first that cannot be read."
            self.say("unsafe-cast", loc, what, f"write `try_cast(… as {type_})`.", column=column)
        elif self._is_retyped(value, type_, is_plain=is_plain):
            what = f"The {'input has the column as' if is_plain else 'value is'} {value.type}; here it is declared as {type_}."
            fix = f"declare `type: {value.type}`, or write an `expr` that makes it {type_}."
            self.say("retyped-column", loc, what, fix, column=column)
        elif value.is_exact and not may_lose and (lost := loss(value.type, type_)):
            if value.is_aggregated and value.type.base == "decimal" and lost == "its greatest values":
                return  # Spark gives a sum ten digits more, to be on the safe side
            what = f"The value is of type {value.type}; as {type_} it loses {lost}."
            fix = f"declare `type: {value.type}`, round it on purpose, or accept the warning with a reason."
            self.say("lossy-cast", loc, what, fix, column=column)

    def _is_retyped(self, value: Value, type_: Type, *, is_plain: bool) -> bool:
        """Tell whether a value becomes another kind of type, with nothing in the contract that says so."""
        families = {value.type.family, type_.family}
        if len(families) == 1 or value.is_constant:
            return False
        return families == {"number", "boolean"} or (is_plain and not self._is_delivered(value))

    def _is_delivered(self, value: Value) -> bool:
        """Tell whether a value comes from files or reference data, where everything is text."""
        return any(not (one := self.around.outlines.get(origin.table)) or one.technical for origin in value.origins)

    # What every contract says

    def say_names(self) -> None:
        """Note columns declared twice, unknown layers and unknown PII classes."""
        seen: dict[str, str] = {}
        for i, column in enumerate(self.table.all_columns):
            if column.name.lower() in seen:
                what = f'The column "{column.name}" is declared twice'
                what += "." if seen[column.name.lower()] == column.name else f': "{seen[column.name.lower()]}" is the same name to Spark.'
                self.say("duplicate-column", ("columns", i, "name"), what, "rename one of them, or delete it.", column=column.name)
            seen.setdefault(column.name.lower(), column.name)
            self._say_pii(column, ("columns", i))
        if self.table.layer not in self.around.metadata.layers:
            what = f'There is no layer "{self.table.layer}".'
            self.say("unknown-layer", ("layer",), what, did_you_mean(self.table.layer, self.around.metadata.layers))

    def _say_pii(self, column: Column, loc: Loc) -> None:
        known = self.around.metadata.pii
        for name in column.pii_classes:
            if name not in known:
                what = f'There is no PII class "{name}".'
                self.say("unknown-pii-class", self.inside((*loc, "pii"), name), what, did_you_mean(name, known), column=column.name)
        if column.declassified:
            for name in sorted(column.declassified.classes):
                where = (*loc, "declassified", "from")
                if name not in known:
                    what = f'There is no PII class "{name}".'
                    self.say("unknown-pii-class", self.inside(where, name), what, did_you_mean(name, known), column=column.name)
                elif name in column.pii_classes:
                    what = f'The column is said to hold "{name}" and to hold it no more.'
                    self.say("contradiction", self.inside(where, name), what, "keep `pii` or `declassified`.", column=column.name)

    def say_inputs(self) -> None:
        """Note inputs that do not exist, or stand in a later layer."""
        order = list(self.around.metadata.layers)
        for name, use in self.table.inputs.items():
            if name not in self.around.names:
                if name not in self.around.broken:
                    what = f'The {use} names "{name}"; no contract and no reference data has that name.'
                    self.say("unknown-table", self.mention(name), what, did_you_mean(name, self.around.names - {self.table.table}))
                continue
            outline = self.around.outlines.get(name)
            if outline and {outline.layer, self.table.layer} <= set(order) and order.index(outline.layer) > order.index(self.table.layer):
                what = f'"{name}" is a table of the layer {outline.layer}, which runs after {self.table.layer}.'
                self.say("wrong-layer", self.mention(name), what, "read from an earlier layer, or put this table into the later one.")

    def mention(self, name: str) -> Place:
        """Return where an input is named."""
        for loc in self.document.values:
            text = self.document.at(loc)
            if isinstance(text, str) and (text == name or (loc[-1:] == ("in",) and text.startswith(f"{name}."))):
                return self.document.place(loc)
        return self.document.place(("sql",))

    def say_grants(self) -> None:
        """Note principals that do not exist."""
        known = self.around.metadata.principals
        if self.table.owner not in known:
            self._unknown_principal(self.table.owner, self.document.place(("owner",)))
        for name in self.table.grants:
            if name not in known:
                self._unknown_principal(name, self.document.key(("grants", name)))
            else:
                self.facts.grants[name] = self.spotted(self.document.key(("grants", name)))
        for i, name in enumerate(self.table.masked_for):
            place = self.document.place(("masked_for", i))
            if name not in known:
                self._unknown_principal(name, place)
            elif name not in self.table.grants:
                self.say("no-effect", place, f"{name} is not granted the table, masked or not.", "add a grant, or delete the name.")
        if self.table.owner in known:
            self.facts.grants.setdefault(self.table.owner, self.spot("owner"))
        quarantine = getattr(self.table, "quarantine", None)
        for name in quarantine.grants if quarantine else ():
            if name not in known:
                self._unknown_principal(name, self.document.key(("quarantine", "grants", name)))

    def _unknown_principal(self, name: str, where: Place) -> None:
        known = self.around.metadata.principals
        self.say("unknown-principal", where, f'metadata/principals.yml has no principal "{name}".', did_you_mean(name, known))

    def say_filter(self) -> None:
        """Note a row filter that is not there, does not fit the columns, or keeps rows from the run itself."""
        used, filters = self.table.row_filter, self.around.metadata.row_filters
        if used is None:
            return
        if used.use not in filters:
            what = f'metadata/row_filters.yml has no filter "{used.use}".'
            where = self.document.place(("row_filter", "use") if ("row_filter", "use") in self.document.values else ("row_filter",))
            self.say("unknown-row-filter", where, what, did_you_mean(used.use, filters))
            return
        found, visible = filters[used.use], self.around.columns(self.table.table) or {}
        for name in used.on:
            if name not in found.columns:
                what = f'The filter {used.use} reads no column "{name}".'
                self.say("unknown-column", self.document.key(("row_filter", "on", name)), what, did_you_mean(name, found.columns))
        for name, type_ in found.columns.items():
            own = used.on.get(name, name)
            place = ("row_filter", "on", name) if ("row_filter", "on", name) in self.document.values else ("row_filter",)
            if self.known([own], place, visible):
                self.facts.uses.add(own.lower())
                given = self.around.type_of(self.table.table, own)
                if given.is_known and str(given) != str(read_type(type_)):
                    what = f"The filter {used.use} reads {name} as {type_}; {own} is {given}."
                    self.say("type-mismatch", self.document.place(place), what, "let both have the same type.")
        if self.table.owner not in found.unlimited:
            what = f"The filter {used.use} keeps rows from {self.table.owner}, who owns the table and writes it."
            fix = f"let metadata/row_filters.yml say `{self.table.owner}: all`."
            self.say("filtered-owner", self.document.key(("row_filter",)), what, fix)

    def say_retention(self) -> None:
        """Note a retention by a column that is not there, or tells no age, and a table that cannot be clustered as it is said."""
        visible = self.around.columns(self.table.table) or {}
        for i, name in enumerate(self.table.cluster_by):
            if self.known([name], ("cluster_by", i), visible):
                self.facts.uses.add(name.lower())
                type_ = self.around.type_of(self.table.table, name)
                if type_.is_known and type_.family in {"array", "map", "struct", "boolean", "binary"}:
                    what = f"Rows cannot be kept together by {name}, which is {type_}."
                    self.say("type-mismatch", ("cluster_by", i), what, "name a column of numbers, text or time.")
        if self.table.retention is None or self.table.retention.by is None:
            return
        by, loc = self.table.retention.by, ("retention", "by")
        if self.known([by], loc, visible):
            self.facts.uses.add(by.lower())
            type_ = self.around.type_of(self.table.table, by)
            if type_.is_known and type_.family != "time":
                self.say("type-mismatch", loc, f"The age of a row is told by {by}, which is {type_}.", "name a date or timestamp.")

    def say_accepted(self) -> None:
        """Note acceptances of what is no warning; keep the others for when all warnings are known."""
        warnings = [code for code, one in CODES.items() if one.is_warning]
        names = {name.lower() for name in self.table.column_names}
        for i, accepted in enumerate(self.table.accepted):
            loc: Loc = ("accepted", i)
            if accepted.warning not in warnings:
                kind = "is an error and cannot be accepted" if accepted.warning in CODES else "is no code"
                self.say("invalid-value", (*loc, "warning"), f'"{accepted.warning}" {kind}.', did_you_mean(accepted.warning, warnings))
                continue
            if accepted.column and accepted.column.lower() not in names:
                self.known([accepted.column], (*loc, "column"), self.table.column_names)
                continue
            default = "accepted" in self.defaults or f"accepted.{i}" in self.defaults
            self.facts.accepted.append((accepted.warning, accepted.column, accepted.reason, self.spot(*loc, "warning"), default))

    # Facts of columns

    def keep(self, column: Column, value: Value, declared: str, loc: Loc, by: str = "") -> None:
        """Keep what is known of a column."""
        origins = tuple(sorted(value.origins))
        declassified: tuple[str, ...] = ()
        if column.declassified:
            declassified = tuple(sorted(column.declassified.classes))
        self.facts.columns[column.name.lower()] = ColumnFacts(
            column.name,
            declared,
            tuple(name for name in column.pii_classes if name in self.around.metadata.pii),
            declassified,
            None if value.nulls is None else tuple(sorted(value.nulls)),
            origins,
            self.spot(*loc, "name"),
            by,
        )
        self.facts.reads |= {(origin.table, origin.column) for origin in origins}

    def say_method(self, column: Column, sql: str | None, value: Value, loc: Loc) -> None:
        """Note a declassification whose method the expression does not use."""
        said = column.declassified
        if said is None:
            return
        fault = _unproved(said, sql, value)
        if fault:
            where = (*loc, "declassified", "method")
            self.say(
                "false-declassification", where, fault, "write the expression that the method names, or another method.", column=column.name
            )


def _unproved(said: Declassified, sql: str | None, value: Value) -> str | None:
    """Return why an expression does not do what a method of declassification says; None where it does or cannot be told."""
    try:
        tree = parsed(sql) if sql else None
    except InvalidSqlError:
        return None
    called = {name for node in tree.walk() if (name := name_of(node))} if tree else set()
    match said.method:
        case "count":
            fine = bool(called & {"count", "count_if", "approx_count_distinct", "size", "array_size"})
            return None if fine else "The method is a count; the expression counts nothing."
        case "hash":
            hashes = called & {"sha2", "sha", "sha1", "md5", "hmac", "xxhash64", "hash"}
            if not hashes & {"sha2", "hmac"}:
                return "The method is a hash; the expression has no sha2."
            salted = bool(tree and any(isinstance(node, exp.Literal | exp.RawString) and len(node.name) >= 8 for node in tree.walk()))  # noqa: PLR2004
            several = bool(tree and len({column.sql() for column in tree.find_all(exp.Column)}) > 1)
            return None if salted or several else "The hash has no salt: whoever knows the values can find them again."
        case "year":
            return None if called & {"year"} or (tree and tree.find(exp.Extract)) else "The method is the year; the expression takes none."
        case "presence":
            fine = value.type.base in {"boolean", "unknown"}
            return None if fine else f"The method is presence; the expression gives a value of type {value.type}."
        case "aggregate":
            fine = any(origin.how == AGGREGATED for origin in value.origins) and not called <= {"min", "max", "first", "last", "any_value"}
            return None if fine else "The method is an aggregate; the expression gives values of single rows."
        case _:
            return None


def value_of_input(table: str, column: str, type_: Type, *, is_nonzero: bool = False) -> Value:
    """Return what is known of a column of an input."""
    name = column.lower()
    return Value(
        type_,
        frozenset({(table, name)}),
        frozenset({Origin(table, name)}),
        is_nonzero=is_nonzero,
        is_exact=type_ != UNKNOWN,
    )


def input_rows(around: Around, name: str) -> Rows | None:
    """Return what an expression sees of a table's rows; None where the table is not known."""
    columns = around.columns(name)
    if columns is None:
        return None
    rows = Rows({})
    outline = around.outlines.get(name)
    nonzero = {column.lower() for column in outline.nonzero} if outline else set()
    for column, type_ in columns.items():
        rows.add(column, value_of_input(name, column, type_, is_nonzero=column.lower() in nonzero))
    return rows


def constant(value: Any, type_: Type) -> Value:
    """Return what is known of a value written in the contract."""
    return Value(type_, NEVER if value is not None else None, is_constant=True, is_exact=True)
