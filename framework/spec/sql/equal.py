"""Which columns of a query's tables must be equal, because a join or a condition says so?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from framework.spec.sql.parse import parsed_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Column = tuple[str, str]


def equal_to(sql: str, name: str, schema: Mapping[str, Mapping[str, str]]) -> frozenset[Column]:
    """Return the columns, as (table, column), whose value in a row of the result is that of the result's column `name`.

    `schema` has names and types of the columns of each table. Where the query cannot be followed, nothing is returned.

    >>> tables = {"a": {"id": "int", "x": "int"}, "b": {"a_id": "int"}}
    >>> sorted(equal_to("select a.id from a join b on b.a_id = a.id", "id", tables))
    [('a', 'id'), ('b', 'a_id')]
    """
    try:
        tree = qualify(
            parsed_query(sql).copy(), schema=dict(schema), dialect="databricks", quote_identifiers=False, validate_qualify_columns=False
        )
        scopes = list(traverse_scope(tree))
    except SqlglotError:
        return frozenset()
    classes: list[set[Column]] = []
    for scope in scopes:
        for one, other in _equalities(scope):
            touching = [found for found in classes if one in found or other in found]
            classes = [found for found in classes if found not in touching] + [{one, other}.union(*touching)]
    given = _candidates(scopes[-1], name) if scopes else set()
    fitting = next((one for one in classes if given and given <= one), given if len(given) == 1 else set())
    return frozenset(fitting)


def _candidates(scope: Scope, name: str) -> set[Column]:
    """Return the columns of which a column of the result has the value: of `using` there are two."""
    expressions = scope.expression.selects if isinstance(scope.expression, exp.Select) else []
    inner = next((one.unalias() for one in expressions if one.alias_or_name.lower() == name.lower()), None)
    parts = [inner.this, *inner.expressions] if isinstance(inner, exp.Coalesce) else [inner]
    found = [_base(part, scope) if isinstance(part, exp.Column) else None for part in parts]
    return {one for one in found if one} if all(found) else set()


def _equalities(scope: Scope) -> Iterator[tuple[Column, Column]]:
    for equal in scope.find_all(exp.EQ):
        # Under OR or NOT an equality need not hold.
        if equal.find_ancestor(exp.Or, exp.Not, exp.Case, exp.If, exp.Select) is not scope.expression:
            continue
        sides = [_base(side, scope) for side in (equal.this, equal.expression) if isinstance(side, exp.Column)]
        if len(sides) == 2 and sides[0] and sides[1]:  # noqa: PLR2004 - both sides
            yield sides[0], sides[1]


def _base(column: exp.Column, scope: Scope) -> Column | None:
    """Return the table's column that a column of a query is, unchanged; None where it is worked out."""
    source = scope.sources.get(column.table)
    if isinstance(source, exp.Table):
        return source.name.lower(), column.name.lower()
    return _projected(source, column.name) if isinstance(source, Scope) else None


def _projected(scope: Scope, name: str) -> Column | None:
    if not isinstance(scope.expression, exp.Select):
        return None
    for one in scope.expression.selects:
        if one.alias_or_name.lower() == name.lower():
            inner = one.unalias()
            return _base(inner, scope) if isinstance(inner, exp.Column) else None
    return None
