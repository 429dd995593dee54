"""What is wrong in a contract whose rows are mapped one by one, and where does each of its columns come from?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from framework.spec.columns import expression_of
from framework.spec.dedupe import ExactRepeats, LatestPerKey, order
from framework.spec.examine.around import is_nonzero
from framework.spec.examine.contract import Examination, Rows, constant, input_rows, value_of_input
from framework.spec.examine.rules import broken_by, default_fits, say_checks
from framework.spec.facts import DERIVED, SAME, ColumnFacts, Origin
from framework.spec.history import Versions
from framework.spec.problem import did_you_mean
from framework.spec.rules import rules_of
from framework.spec.source import Lookup
from framework.spec.sql.types import BOOLEAN, INT, Type, read_type, reads_as
from framework.spec.sql.values import NEVER, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from framework.spec.columns import MappedColumn
    from framework.spec.load import Loc
    from framework.spec.source import Join, TableSource
    from framework.spec.table import GroupedTable, MappedTable


class MappedExamination(Examination):
    """A table of mapped rows, looked at."""

    kind = "mapped"
    table: MappedTable

    def look(self) -> None:
        """Look at sources, joins, columns, checks and keys."""
        self._say_names_of_rules()
        self._quarantine()
        found: list[dict[str, Value]] = []
        for number, source in enumerate(self.table.all_sources):
            own = self._source(source, ("sources", number) if self.table.sources else ("source",))
            if own is not None:
                found.append(own)
        if len(found) < len(self.table.all_sources):
            return
        for i, column in enumerate(self.table.columns):
            values = [one[column.name.lower()] for one in found]
            self.keep(column, _together(values), column.type, ("columns", i), _said(column, self.table))
        self._versions()
        self._dedupe()

    def _say_names_of_rules(self) -> None:
        names: dict[str, str] = {}
        for i, column in enumerate(self.table.columns):
            for j, check in enumerate(column.checks):
                self._say_name(check.name, ("columns", i, "checks", j, "name"), names)
        for j, check in enumerate(self.table.checks):
            self._say_name(check.name, ("checks", j, "name"), names)

    def _say_name(self, name: str | None, loc: Loc, names: dict[str, str]) -> None:
        if name and name in names:
            self.say("repeated-item", loc, f'Another check is named "{name}" too.', "name each check by what it finds.")
        if name:
            names[name] = name

    def _quarantine(self) -> None:
        refusing = [rule.name for rule in rules_of(self.table) if rule.otherwise == "quarantine"]
        for name in self.table.quarantine.by_rule:
            if name not in refusing:
                what = f'No rule named "{name}" puts rows into quarantine.'
                self.say("unknown-rule", ("quarantine", "by_rule", name), what, did_you_mean(name, refusing), is_key=True)
        if any(rule.otherwise == "quarantine" for rule in rules_of(self.table)):
            known = self.around.metadata.principals
            places = {name: self.spotted(self.document.key(("quarantine", "grants", name))) for name in self.table.quarantine.grants}
            self.facts.quarantine = {name: spot for name, spot in {self.table.owner: self.spot("owner"), **places}.items() if name in known}

    def _source(self, source: TableSource, at: Loc) -> dict[str, Value] | None:
        """Return the table's columns as one source gives them, by lower-case name; None where an input is not known."""
        rows = input_rows(self.around, source.table)
        if rows is None or any(name not in self.around.names for name in self.table.inputs):
            return None
        parsed = self._parse_json(source, (*at, "parse_json"), rows)
        if source.explode:
            self._explode(source, (*at, "explode"), rows)
        say_joins(self, self.table, rows)
        own_names = [column.name for column in self.table.columns]
        self.known(source.columns, (*at, "columns"), own_names)
        own = self._columns(source, at, rows)
        say_checks(self, self.table.checks, ("checks",), rows)
        self._unused(source, at, rows, parsed)
        self.facts.uses |= rows.own_used
        return own

    def _parse_json(self, source: TableSource, loc: Loc, rows: Rows) -> list[str]:
        for name, json in source.parse_json.items():
            if not self.known([name], loc, rows.names.values()):
                continue
            value = rows.columns[name.lower()]
            if value.type.is_known and value.type.family != "text":
                self.say("type-mismatch", (*loc, name), f"{name} is {value.type}; JSON is read from text.", "name a column of text.")
            type_ = read_type(json.type)
            inner = type_.of[0] if type_.base == "array" and type_.of else type_
            if type_.base not in {"array", "struct", "map", "variant"}:
                what = f"JSON is read as {type_}, which has no parts."
                self.say("no-effect", (*loc, name, "type"), what, "declare a struct<…> or an array<…>.")
            for leaf, given in leaves(inner):
                if given.family not in {"text", "variant", "boolean"}:
                    what = f'The field "{leaf}" is read as {given}: what cannot be read as that becomes null, and no rule tells.'
                    self.say("lossy-cast", (*loc, name, "type"), what, "declare it as string, and let a column's `type` read it.")
            for pair in json.pairs or ():
                if inner.base != "struct" or type_.base != "array":
                    what = "`pairs` name the fields of an array's items; the type is no array<struct<…>>."
                    self.say("contradiction", (*loc, name, "pairs"), what, "declare array<struct<…>>, or delete `pairs`.")
                    break
                if inner.field(pair) is None:
                    where = self.inside((*loc, name, "pairs"), pair)
                    self.say("unknown-column", where, f'The struct has no field "{pair}".', did_you_mean(pair, inner.fields))
            rows.add(name, Value(type_, None, value.through(DERIVED), is_exact=True))
        return [name.lower() for name in source.parse_json if name.lower() in rows.columns]

    def _explode(self, source: TableSource, loc: Loc, rows: Rows) -> None:
        explode = source.explode
        if explode is None or not self.known([explode.column], (*loc, "column"), rows.names.values()):
            return
        value = rows.columns[explode.column.lower()]
        if value.type.is_known and value.type.base != "array":
            what = f"{explode.column} is {value.type.base}; only an array has items."
            self.say("type-mismatch", (*loc, "column"), what, "name an array, or read one with `parse_json`.")
        inner = value.type.of[0] if value.type.base == "array" and value.type.of else Type("unknown")
        for key, name in (("as", explode.as_), ("position", explode.position)):
            if name and name.lower() in rows.columns:
                what = f'The source has a column "{name}" already.'
                self.say("contradiction", (*loc, key), what, "choose another name.")
        self.facts.reads |= {(origin.table, origin.column) for origin in value.origins}
        rows.used.add(explode.column.lower())  # its fields are read through the item
        rows.add(explode.as_, Value(inner, None, value.through(DERIVED), is_exact=True))
        if explode.position:
            rows.add(explode.position, Value(INT, NEVER, value.through(DERIVED), is_exact=True))

    def _columns(self, source: TableSource, at: Loc, rows: Rows) -> dict[str, Value]:
        own: dict[str, Value] = {}
        in_key = self._in_key()
        plain = {column.name.lower() for column in self.table.columns if self._takes_over(column, source)}
        for i, column in enumerate(self.table.columns):
            loc: Loc = ("columns", i)
            rows.below = {one.name.lower() for one in self.table.columns[i + 1 :]} & set(rows.columns) - plain
            if column.name.lower() in self.broken:
                own[column.name.lower()] = Value()
                rows.add(column.name, Value(), is_own=True)
                continue
            given = self._given(column, source, at, loc, rows, is_key=column.name.lower() in in_key)
            value = self._typed(column, given, rows, loc, source)
            rows.add(column.name, value, is_own=True)
            own[column.name.lower()] = value
            say_checks(self, column.checks, (*loc, "checks"), rows, column.name)
            self._default(column, loc)
            self.say_method(column, expression_of(column, source), given or value, loc)
        return own

    @staticmethod
    def _takes_over(column: MappedColumn, source: TableSource) -> bool:
        """Tell whether a column is the source's of the same name, unchanged."""
        changed = any(check.otherwise == "set_null" for check in column.checks)
        return (
            column.name not in source.columns and column.expr is None and column.lookup is None and not changed and column.default is None
        )

    def _in_key(self) -> set[str]:
        dedupe = self.table.dedupe
        if not isinstance(dedupe, LatestPerKey):
            return set()
        return {name.lower() for name in (*dedupe.key, *(order(text).column for text in (*dedupe.latest_by, *dedupe.tie_break)))}

    def _given(  # noqa: PLR0913 - one column of one source
        self, column: MappedColumn, source: TableSource, at: Loc, loc: Loc, rows: Rows, *, is_key: bool
    ) -> Value | None:
        """Return what the expression or the source's column gives; None where there is neither."""
        where: Loc = (*loc, "expr")
        if column.name in source.columns:
            where = (*at, "columns", column.name)
        sql = expression_of(column, source)
        if sql:
            value = self.read(sql, where, rows, column=column.name, in_key=is_key)
            self.fits(value, column.type, where, column.name, stops=False, may_lose=column.unreadable is not None)
            self._say_format(column, value, loc)
            return value
        name = column.name.lower()
        if name in rows.columns and not column.lookup:
            rows.use(name)
            value = rows.columns[name]
            self.fits(value, column.type, (*loc, "type"), column.name, stops=False, may_lose=column.unreadable is not None, is_plain=True)
            self._say_format(column, value, loc)
            return value
        elsewhere = any(column.name in other.columns or name in self._visible(other) for other in self.table.all_sources)
        if column.lookup is None and (column.default is None or elsewhere):
            what = f'The source {source.table} has no column "{column.name}", and nothing says what it is made of.'
            fix = f"add `expr:`; {did_you_mean(column.name, rows.names.values())}"
            self.say("unknown-column", (*loc, "name"), what, fix, column=column.name)
        return None

    def _visible(self, source: TableSource) -> set[str]:
        return {name.lower() for name in self.around.columns(source.table) or ()}

    def _say_format(self, column: MappedColumn, given: Value, loc: Loc) -> None:
        if given.type.family == "text" and not given.is_constant and read_type(column.type).family == "time" and not column.formats:
            what = f"Text is read as {column.type}, and nothing says how it is written."
            self.say("unstated-format", (*loc, "type"), what, "add `formats: [iso8601]`, or what the source has.", column=column.name)

    def _typed(self, column: MappedColumn, given: Value | None, rows: Rows, loc: Loc, source: TableSource) -> Value:
        """Return the column's value once it is read as its type, looked up, checked and filled with its default."""
        type_ = read_type(column.type)
        was = given or constant(None, type_)
        nulls = was.nulls
        if given is None or (given.type != type_ and (given.type.family == "text" or not given.type.is_known)):
            nulls = None
        made = column.name in source.columns or column.expr is not None
        if self.table.text and type_.family == "text" and made and not was.is_constant:
            nulls = None  # a text that is empty, or spelt `NULL`, is emptied
        origins = was.origins
        if column.lookup:
            origins = self._looked_up(column.lookup, was, rows, (*loc, "lookup"), column)
            nulls = None
        if any(check.otherwise == "set_null" for check in column.checks):
            nulls = None
        if column.required or column.default is not None:
            nulls = NEVER
        return Value(type_, nulls, origins, is_nonzero=is_nonzero(column.checks), is_exact=True)

    def _looked_up(self, lookup: Lookup, value: Value, rows: Rows, loc: Loc, column: MappedColumn) -> frozenset[Origin]:
        """Return what a value comes from that is looked up where there is none."""
        there = self.around.columns(lookup.target) or {}
        found = say_taken(self, lookup, {column.name: lookup.take}, rows, loc)
        if lookup.take.lower() in {name.lower() for name in there}:
            taken = self.around.type_of(lookup.target, lookup.take)
            self.fits(Value(taken, is_exact=True), column.type, (*loc, "take"), column.name, stops=False, may_lose=True)
        origins = set(value.origins) | {origin for one in found.values() for origin in one.origins}
        if lookup.target in self.around.references and lookup.target not in self.around.outlines:
            # Reference data is public: who knows the value it gives knows something of the key.
            keys = [rows.columns[name.lower()] for name in lookup.keys if name.lower() in rows.columns]
            origins |= {origin for key in keys for origin in key.through(DERIVED)}
        return frozenset(origins)

    def _default(self, column: MappedColumn, loc: Loc) -> None:
        if column.default is None:
            return
        if not default_fits(column.default, column.type):
            what = f"The default {str(column.default).lower()!r} is no {column.type}."
            self.say("type-mismatch", (*loc, "default"), what, "write a value of the column's type.", column=column.name)
        elif broken_by(column.default, column.checks):
            what = "The default breaks a check of its own column."
            self.say("contradiction", (*loc, "default"), what, "write a default that the check allows.", column=column.name)

    def _unused(self, source: TableSource, at: Loc, rows: Rows, parsed: list[str]) -> None:
        """Note what is prepared at the source and read by nothing."""
        dedupe = self.table.dedupe
        ordered = {
            order(text).column.lower()
            for text in (
                *getattr(dedupe, "latest_by", ()),
                *(() if "dedupe.tie_break" in self.defaults else getattr(dedupe, "tie_break", ())),
            )
        }
        used = rows.used | ordered
        item = source.explode.as_.lower() if source.explode else ""
        exploded = source.explode.column.lower() if source.explode else ""
        for name in parsed:
            written = next(one for one in source.parse_json if one.lower() == name)
            loc = (*at, "parse_json", written)
            if name not in used:
                self.say(
                    "unused-column",
                    loc,
                    f"{written} is read as JSON, and no column is made of it.",
                    "make a column of it, or delete it.",
                    is_key=True,
                )
                continue
            type_ = read_type(source.parse_json[written].type)
            inner = type_.of[0] if type_.base == "array" and type_.of else type_
            read = rows.parts.get(item if name == exploded else name, set())
            if inner.base == "struct" and "*" not in read:
                for fieldname in inner.fields:
                    if fieldname.lower() not in read:
                        what = f'The field "{fieldname}" of {written} is read by no column.'
                        self.say("unused-column", (*loc, "type"), what, "take it out of the type, or make a column of it.")
        if source.explode and source.explode.position and source.explode.position.lower() not in used:
            what = f'The position "{source.explode.position}" is read by no column.'
            self.say("unused-column", (*at, "explode", "position"), what, "delete it, or make a column of it.")
        for i, join in enumerate(self.table.joins):
            for name in join.take:
                if name.lower() not in used:
                    what = f'"{name}" is taken from {join.table}, and read by no column.'
                    self.say("unused-column", self.inside(("joins", i, "take"), name), what, "take what is needed only.")

    def _versions(self) -> None:
        history = self.table.history
        if not isinstance(history, Versions) or not isinstance(self.table.dedupe, LatestPerKey):
            return
        names = history.versions
        loc: Loc = ("history", "versions")
        self.known([names.from_], (*loc, "from"), self.table.dedupe.key)
        declared = {column.name.lower(): column for column in self.table.columns}
        begin = declared.get(names.from_.lower())
        for key, name in (("until", names.until), ("current", names.current)):
            other = declared.get(name.lower())
            wanted = BOOLEAN if key == "current" else read_type(begin.type) if begin else None
            if other and wanted and read_type(other.type) != wanted:
                what = f"{name} is declared as {other.type}; it is set to {'true or false' if key == 'current' else f'a {wanted}'}."
                self.say("type-mismatch", (*loc, key), what, f"declare it as {wanted}, or choose another name.")
        if len({names.from_.lower(), names.until.lower(), names.current.lower()}) < 3:  # noqa: PLR2004 - three columns
            self.say("contradiction", loc, "Two of the columns of a version have one name.", "name three columns.")
        if begin:
            there = self.facts.columns[names.from_.lower()]
            spot = self.spot(*loc, "until")
            pii = declared[names.until.lower()].pii_classes if names.until.lower() in declared else there.pii
            until = ColumnFacts(names.until, begin.type, pii, there.declassified, None, there.origins, spot, "the next version's beginning")
            current = ColumnFacts(names.current, "boolean", (), (), (), (), self.spot(*loc, "current"), "whether it is the last version")
            self.facts.columns |= {names.until.lower(): until, names.current.lower(): current}
        self.facts.uses |= {names.from_.lower(), names.until.lower(), names.current.lower()}

    def _dedupe(self) -> None:
        dedupe = self.table.dedupe
        if dedupe is None:
            return
        own = [column.name for column in self.table.columns]
        shared = set.intersection(*({*(self.around.columns(source.table) or ())} for source in self.table.all_sources))
        orderable = {*own, *shared}
        ordered = [*getattr(dedupe, "latest_by", ()), *dedupe.tie_break]
        types = {
            **{
                name.lower(): type_
                for source in self.table.all_sources
                for name, type_ in (self.around.columns(source.table) or {}).items()
            }
        }
        types |= {column.name.lower(): read_type(column.type) for column in self.table.columns}
        for key in ("latest_by", "tie_break"):
            names = [order(text).column for text in getattr(dedupe, key, ())]
            if self.known(names, ("dedupe", key), orderable):
                for name in names:
                    if types[name.lower()].base == "map":
                        self.say(
                            "type-mismatch",
                            self.inside(("dedupe", key), name),
                            f"{name} is a map; maps have no order.",
                            "order by another column.",
                        )
        self.facts.uses |= {order(text).column.lower() for text in ordered}
        if isinstance(dedupe, LatestPerKey):
            self._key(dedupe, own, types)
        if all(order(text).column.lower() in types for text in ordered) and not self._decides(ordered):
            what = "Two rows can be equal in all that the order names."
            fix = f"end it with what tells rows of the source apart{self._telling()}."
            loc: Loc = (
                ("dedupe", "tie_break")
                if dedupe.tie_break
                else ("dedupe", "latest_by")
                if getattr(dedupe, "latest_by", ())
                else ("dedupe",)
            )
            self.say("order-can-tie", loc, what, fix)

    def _key(self, dedupe: LatestPerKey, own: list[str], types: Mapping[str, Type]) -> None:
        self.known(dedupe.fill, ("dedupe", "fill"), own)
        for name in dedupe.fill:
            if name.lower() in {key.lower() for key in dedupe.key}:
                what = f"{name} is part of the key, and the same in every row of it."
                self.say("no-effect", self.inside(("dedupe", "fill"), name), what, "fill other columns.")
        self.facts.uses |= {name.lower() for name in dedupe.key}
        if not self.known(dedupe.key, ("dedupe", "key"), own):
            return
        for name in dedupe.key:
            where = self.inside(("dedupe", "key"), name)
            if types[name.lower()].base == "map":
                self.say("type-mismatch", where, f"{name} is a map; maps cannot be compared.", "use another column.", column=name)
            facts = self.facts.columns[name.lower()]
            if facts.nulls != ():
                what = f"{name} may be null, and is part of the key."
                fix = f"make {name} `required`, give it a `default`, or accept the warning with a reason."
                self.need_own(name, where, what, fix)

    def _decides(self, ordered: list[str]) -> bool:
        """Tell whether the order, with the key, leaves no two rows of a source equal; an array's place decides by itself."""
        dedupe = self.table.dedupe
        names = {order(text).column.lower() for text in ordered}
        if isinstance(dedupe, ExactRepeats):
            return True
        keys = {name.lower() for name in dedupe.key} if dedupe else set()
        own = {column.name.lower() for column in self.table.columns}
        for source in self.table.all_sources:
            outline = self.around.outlines.get(source.table)
            plain = {
                origin.column
                for name in (names | keys) & own
                for origin in self.facts.columns[name].origins
                if origin.how == SAME and origin.table == source.table
            }
            given = plain | (names - own)
            if outline and outline.technical:
                if not ({"_load_id", "_load_timestamp"} & given and {"_source_file", "_row_number"} <= given):
                    return False
            elif not outline or not outline.key or not {key.lower() for key in outline.key} <= given:
                return False
        return True

    def _telling(self) -> str:
        found = []
        for source in self.table.all_sources:
            outline = self.around.outlines.get(source.table)
            if outline and outline.technical:
                found.append("_load_timestamp, _source_file, _row_number")
            elif outline and outline.key:
                found.append(", ".join(outline.key))
        return f": {'; '.join(dict.fromkeys(found))}" if found else ""


def _together(values: list[Value]) -> Value:
    """Return what is known of a column that several sources give."""
    nulls: set[tuple[str, str]] | None = set()
    for value in values:
        nulls = None if nulls is None or value.nulls is None else nulls | value.nulls
    origins = frozenset().union(*(value.origins for value in values))
    return replace(values[0], nulls=None if nulls is None else frozenset(nulls), origins=origins)


def leaves(type_: Type, name: str = "item") -> Iterator[tuple[str, Type]]:
    """Yield the fields of a type that have none themselves, and their types.

    >>> [(name, str(type_)) for name, type_ in leaves(read_type("struct<a: string, b: array<int>>"))]
    [('a', 'string'), ('b', 'int')]
    """
    if type_.base == "struct":
        for field, inner in zip(type_.fields, type_.of, strict=True):
            yield from leaves(inner, field)
    elif type_.of:
        yield from leaves(type_.of[-1], name)
    else:
        yield name, type_


def _said(column: MappedColumn, table: MappedTable) -> str:
    """Return in the contract's words how a column comes about."""
    written = [expression_of(column, source) for source in table.all_sources]
    parts = list(dict.fromkeys(" ".join(sql.split()) for sql in written if sql))
    if column.lookup:
        parts.append(f"looked up in {column.lookup.target}")
    return "; ".join(parts)


def say_joins(examination: Examination, table: MappedTable | GroupedTable, rows: Rows) -> None:
    """Note what is wrong in the joins of a table, and let its expressions see what they take."""
    for i, join in enumerate(table.joins):
        loc: Loc = ("joins", i)
        for name, value in say_taken(examination, join, join.take, rows, loc).items():
            rows.add(name, value)


def say_taken(examination: Examination, join: Join | Lookup, take: Mapping[str, str], rows: Rows, loc: Loc) -> dict[str, Value]:
    """Note what is wrong in a join or a lookup; return what it takes, by name."""
    is_lookup = isinstance(join, Lookup)
    name = join.target if isinstance(join, Lookup) else join.table
    on = join.keys if isinstance(join, Lookup) else join.on
    there = examination.around.columns(name)
    here_known = examination.known(on, (*loc, "on"), rows.names.values())
    for here in on:
        rows.use(here)
        if here.lower() in rows.below:
            what = f'"{here}" is the source\'s here; the table\'s own "{here}" is declared below.'
            examination.say("read-before-declared", examination.inside((*loc, "on"), here), what, "move this column below it.")
    if there is None:
        return {}
    there_known = examination.known(on.values(), (*loc, "on"), there)
    examination.known(take.values(), (*loc, "take"), there)
    types = {column.lower(): (column, type_) for column, type_ in there.items()}
    if there_known:
        _say_unique(examination, name, set(on.values()), loc)
    if here_known and there_known:
        for here, other in on.items():
            mine = rows.columns[here.lower()]
            examination.facts.reads |= {(origin.table, origin.column) for origin in mine.origins}
            examination.facts.reads.add((name, other.lower()))
            if reads_as(mine.type, types[other.lower()][1]) is False:
                what = f"{here} is {mine.type}, {other} of {name} is {types[other.lower()][1]}; they are never equal."
                examination.say("type-mismatch", (*loc, "on"), what, "join columns of one type.")
            if not is_lookup and getattr(join, "missing", "keep") == "drop" and mine.nulls:
                what = f"{here} may be null; rows without it find no match and are left out."
                fix = f"make {here} `required` where it comes from, or accept the warning with a reason."
                examination.need(mine.nulls, "nullable-join", (*loc, "on"), what, fix)
    return dict(_taken(examination, name, take, types, is_kept=getattr(join, "missing", "keep") == "keep"))


def _taken(
    examination: Examination, name: str, take: Mapping[str, str], types: Mapping[str, tuple[str, Type]], *, is_kept: bool
) -> Iterator[tuple[str, Value]]:
    for here, other in take.items():
        if other.lower() in types:
            value = value_of_input(name, other, types[other.lower()][1])
            examination.facts.reads.add((name, other.lower()))
            yield here, replace(value, nulls=None) if is_kept else value
        else:
            yield here, Value()


def _say_unique(examination: Examination, name: str, on: set[str], loc: Loc) -> None:
    keys = examination.around.keys(name)
    matched = {column.lower() for column in on}
    if not any({column.lower() for column in key} <= matched for key in keys):
        tell = f"match on the whole key of {name}: {', '.join(sorted(keys[0]))}." if keys else f"give {name} a key, and match on it."
        what = f"Several rows of {name} can have the same {', '.join(sorted(on))}."
        examination.say("ambiguous-join", (*loc, "on"), what, tell)
