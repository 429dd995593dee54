"""How is a contract's `quality` said to Soda? One document of SodaCL for all tables of a layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import yaml

from framework.spec.names import literal, quoted
from framework.spec.quality import REFERENCE, SCHEMA, LineRule, SodaRule, SqlRule, asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from framework.spec.quality import Asked, Valid
    from framework.spec.table import Table


_SPARKS_OWN = {"stddev", "percentile"}
"""Measures that Soda has not on Spark."""


@dataclass(frozen=True)
class Ask:
    """One check as Soda is asked it, told from others by `name`; `change` is what its value's change must be."""

    table: str
    title: str
    otherwise: str
    sodacl: Any
    name: str = ""
    change: Asked | None = None
    is_age: bool = False
    """Whether its value is a span of time, in milliseconds."""


def asks_of(tables: Sequence[Table], views: Mapping[str, str], types: Mapping[str, Mapping[str, str]]) -> list[Ask]:
    """Return all checks of some tables; `views` are the names under which Soda finds tables, `types` those of their columns."""
    found: list[Ask] = []
    for table in tables:
        for rule in table.quality:
            for ask in said(rule, table, views, types):
                name = f"check_{len(found)}"
                found.append(replace(ask, name=name, sodacl=_named(ask.sodacl, name)))
    return found


def document(asks: Sequence[Ask], views: Mapping[str, str]) -> str:
    """Return the checks as a document in SodaCL."""
    checks: dict[str, list[Any]] = {}
    for ask in asks:
        checks.setdefault(f"checks for {views[ask.table]}", []).append(ask.sodacl)
    return yaml.safe_dump(checks, sort_keys=False, allow_unicode=True, width=10_000)


def change_of(check: Asked, value: float, before: float) -> float | None:
    """Return by how much a measure changed, in the check's unit; None where it cannot be told in percent.

    >>> change_of(asked("change percent for row_count > -20"), 90, 100)
    -10.0
    """
    if check.change == "percent":
        return 100.0 * (value - before) / abs(before) if before else None
    return value - before


def holds(check: Asked, value: float) -> bool:
    """Tell whether a number lies where a check wants it.

    >>> holds(asked("change for row_count between -5 and 5"), 6)
    False
    """
    bounds = [float(part.replace("%", "")) for part in check.threshold.split(" and ")]
    compared = {
        "<": value < bounds[0],
        "<=": value <= bounds[0],
        ">": value > bounds[0],
        ">=": value >= bounds[0],
        "=": value == bounds[0],
        "!=": value != bounds[0],
        "between": bounds[0] <= value <= bounds[-1],
    }
    return compared[check.operator]


@singledispatch
def said(rule: object, table: Table, views: Mapping[str, str], types: Mapping[str, Mapping[str, str]]) -> Iterator[Ask]:
    """Yield what Soda is asked for one rule."""
    raise NotImplementedError(type(rule).__name__)


@said.register(LineRule)
def _line(rule: LineRule, table: Table, views: Mapping[str, str], types: Mapping[str, Mapping[str, str]]) -> Iterator[Ask]:
    check = asked(rule.check)
    ask = Ask(table.table, rule.title, rule.otherwise, None, change=check if check.change else None, is_age=check.metric == "freshness")
    if check.metric == SCHEMA:
        columns = dict(types[table.table])
        told = {"when required column missing": [*columns], "when wrong column type": columns}
        yield replace(ask, sodacl={"schema": {"fail": told}})
    elif check.metric == REFERENCE and check.other:
        here, there = (", ".join(map(_column, names)) for names in (check.columns, check.other[1]))
        yield replace(ask, sodacl={f"values in ({here}) must exist in {views[check.other[0]]} ({there})": {}})
    elif check.by or check.other:
        yield replace(ask, sodacl=_counted(_differing(check, views, table.table)))
    elif check.metric in _SPARKS_OWN:
        call = f"{check.metric}({', '.join([*map(quoted, check.columns), *([check.share] if check.share else [])])})"
        yield replace(ask, sodacl=_expression(call, _comparison(check)))
    elif rule.valid:
        invalid = f"count_if({quoted(check.columns[0])} IS NOT NULL AND NOT ({_valid(rule.valid, quoted(check.columns[0]))}))"
        share = f"100.0 * {invalid} / nullif(count(*), 0)"
        yield replace(ask, sodacl=_expression(share if check.metric == "invalid_percent" else invalid, _comparison(check)))
    else:
        yield replace(ask, sodacl={f"{_measure(check)} {_comparison(check)}": {}})


@said.register(SqlRule)
def _sql(rule: SqlRule, table: Table, views: Mapping[str, str], types: Mapping[str, Mapping[str, str]]) -> Iterator[Ask]:  # noqa: ARG001
    yield Ask(table.table, rule.title, rule.otherwise, _counted(f"SELECT 1 FROM ({rule.no_rows})"))  # noqa: S608 - the contract's own SQL


@said.register(SodaRule)
def _soda(rule: SodaRule, table: Table, views: Mapping[str, str], types: Mapping[str, Mapping[str, str]]) -> Iterator[Ask]:  # noqa: ARG001
    for item in rule.soda:
        told = item if isinstance(item, dict) else {item: {}}
        for line, more in told.items():
            body = more if isinstance(more, dict) else {}
            yield Ask(table.table, str(body.get("name", line)), rule.otherwise, {line: body})


def _named(sodacl: Any, name: str) -> Any:
    """Return a check under a name, and its own measure, where it has one, too."""
    return {
        line.replace("{check}", name): {key.replace("{check}", name): _filled(value, name) for key, value in body.items()} | {"name": name}
        for line, body in sodacl.items()
    }


def _filled(value: Any, name: str) -> Any:
    return value.replace("{check}", name) if isinstance(value, str) else value


def _counted(query: str) -> dict[str, Any]:
    """Return a check that a query gives no row; as an expression, it is asked together with the table's other measures.

    Soda reads results by Spark's names for them, and Spark names all subqueries alike: the check's own name tells them apart.
    """
    return _expression(f"coalesce((SELECT count(*) FROM ({query})), length('{{check}}'))", "= 0")  # noqa: S608 - names are quoted


def _expression(sql: str, comparison: str) -> dict[str, Any]:
    return {f"{{check}} {comparison}": {"{check} expression": sql}}


def _differing(check: Asked, views: Mapping[str, str], table: str) -> str:
    """Return a query for the groups whose measure is not as it should be."""
    by = [quoted(name) for name in check.by]
    here = f"SELECT {_sql_of(check, check.columns)} AS v FROM {views[table]}" + (f" GROUP BY {', '.join(by)}" if by else "")  # noqa: S608
    if check.other is None:
        return f"SELECT 1 FROM ({here}) WHERE NOT coalesce(v {check.operator} {check.threshold.replace('%', '')}, false)"  # noqa: S608
    other, columns = check.other
    there = f"SELECT {_sql_of(check, columns)} AS w FROM {views[other]}"  # noqa: S608
    # Where the table has no group at all, it is held against the other as one that sums up to nothing.
    nothing = "0" if check.metric in {"sum", "row_count"} else "null"
    both = f"SELECT coalesce(v, {nothing}) AS v, coalesce(w, {nothing}) AS w FROM ({there}) LEFT JOIN ({here}) ON true"  # noqa: S608
    return f"SELECT 1 FROM ({both}) WHERE NOT coalesce(v {check.operator} w, v IS NULL AND w IS NULL)"  # noqa: S608


def _sql_of(check: Asked, columns: Sequence[str]) -> str:
    names = [quoted(name) for name in columns]
    special = {"row_count": "count(*)"}
    if names:
        special |= {"missing_count": f"count_if({names[0]} IS NULL)", "missing_percent": f"100.0 * count_if({names[0]} IS NULL) / count(*)"}
    return special.get(check.metric) or f"{check.metric}({names[0]})"


def _measure(check: Asked) -> str:
    return check.metric + (f"({', '.join(map(_column, check.columns))})" if check.columns else "")


def _comparison(check: Asked) -> str:
    if check.change:
        return ">= 0"
    return f"{check.operator} {check.threshold.replace(' %', '%')}"


def _column(name: str) -> str:
    """Return a column as SodaCL names it: it takes a bare name, unless it has a word of its own by that name."""
    is_plain = name.replace("_", "a").isalnum() and name.isascii() and len(name) > 1
    return name if is_plain else quoted(name)


def _valid(valid: Valid, column: str) -> str:
    if valid.between is not None:
        return f"{column} BETWEEN {valid.between[0]} AND {valid.between[1]}"
    if valid.values is not None:
        return f"{column} IN ({', '.join(literal(one) if isinstance(one, str) else str(one) for one in valid.values)})"
    return f"{column} RLIKE {literal(f'^(?:{valid.matches})$')}"
