"""What is wrong in the checks on a whole table?"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from framework.spec.examine.query import Query
from framework.spec.problem import did_you_mean
from framework.spec.quality import NUMERIC, LineRule, SodaRule, SqlRule, asked
from framework.spec.sql.parse import parsed_query, tables_in

if TYPE_CHECKING:
    from framework.spec.examine.contract import Examination
    from framework.spec.load import Loc
    from framework.spec.quality import Asked


def say_quality(examination: Examination) -> None:
    """Note checks on the whole table that speak of what is not there, or of types that do not fit."""
    for i, rule in enumerate(examination.table.quality):
        say(rule, examination, ("quality", i))


def asked_of(rule: object) -> set[str]:
    """Return the tables that a check reads beside its own."""
    if isinstance(rule, LineRule):
        other = asked(rule.check).other
        return {other[0]} if other else set()
    return set(tables_in(rule.no_rows)) if isinstance(rule, SqlRule) else set()


@singledispatch
def say(rule: object, examination: Examination, loc: Loc) -> None:
    """Note what is wrong in one check."""
    raise NotImplementedError(type(rule).__name__)


@say.register(LineRule)
def _line(rule: LineRule, examination: Examination, loc: Loc) -> None:
    check = asked(rule.check)
    if not isinstance(examination.document.at(loc), str):
        loc = (*loc, "check")
    visible = examination.around.columns(examination.table.table) or {}
    if not examination.known([*check.columns, *check.by], loc, visible):
        return
    examination.facts.uses |= {name.lower() for name in (*check.columns, *check.by)}
    types = {name.lower(): type_ for name, type_ in visible.items()}
    for name in check.columns:
        type_ = types[name.lower()]
        if check.metric in NUMERIC and type_.is_known and type_.family != "number":
            examination.say("type-mismatch", loc, f"`{check.metric}` of {name}, which is {type_}.", "ask it of a number.")
        if check.metric == "freshness" and type_.is_known and type_.family != "time":
            examination.say("type-mismatch", loc, f"`freshness` of {name}, which is {type_}.", "ask it of a date or timestamp.")
    if check.other:
        _say_other(check, examination, loc)


def _say_other(check: Asked, examination: Examination, loc: Loc) -> None:
    table, columns = check.other or ("", ())
    around = examination.around
    if _is_there(table, examination, loc) and examination.known(columns, loc, around.columns(table) or ()):
        examination.facts.reads |= {(table, column.lower()) for column in columns}


def _is_there(table: str, examination: Examination, loc: Loc) -> bool:
    around = examination.around
    if table in around.broken:
        return False
    if table not in around.names:
        what = f'The check names the table "{table}"; no contract has that name.'
        examination.say("unknown-table", loc, what, did_you_mean(table, around.names))
        return False
    return True


@say.register(SqlRule)
def _sql(rule: SqlRule, examination: Examination, loc: Loc) -> None:
    missing = [table for table in sorted(tables_in(rule.no_rows)) if not _is_there(table, examination, (*loc, "no_rows"))]
    if not missing:
        query = Query(examination, (*loc, "no_rows"))
        query.output(parsed_query(rule.no_rows), {}, [])
        examination.facts.reads |= {(table, column) for table, column in query.reads if table != examination.table.table}
        examination.facts.uses |= {column for table, column in query.reads if table == examination.table.table}


@say.register(SodaRule)
def _soda(rule: SodaRule, examination: Examination, loc: Loc) -> None:
    for i, item in enumerate(rule.soda):
        if not isinstance(item, str | dict):
            fix = "write a line such as `row_count > 0`, or a line with more below it."
            examination.say("invalid-quality", (*loc, "soda", i), f"`{item}` is no check in SodaCL.", fix)
