"""What does an SQL text in a contract talk about?

Parsed by sqlglot in the Databricks dialect; Spark runs the text as it is written.
"""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp

DIALECT = "databricks"
# Spark's short names for types that sqlglot builds but Delta cannot hold as a column.
_NOT_COLUMN_TYPES = {exp.DataType.Type.UNKNOWN, exp.DataType.Type.NULL, exp.DataType.Type.USERDEFINED}


class InvalidSqlError(ValueError):
    """The text is not SQL; the message says where, without sqlglot's colours."""


@lru_cache(maxsize=10_000)
def parsed(sql: str) -> exp.Expr:
    """Return the syntax tree of an expression.

    Raises:
        InvalidSqlError: the text is not one SQL expression.
    """
    return _parse(sql, query=False)


@lru_cache(maxsize=10_000)
def columns_in(sql: str) -> frozenset[str]:
    """Return the column names an expression reads; of `line.price` that is `line`.

    >>> sorted(columns_in("upper(state) || line.price"))
    ['line', 'state']
    """
    tree = parsed(sql)
    bound = {parameter.name for function in tree.find_all(exp.Lambda) for parameter in function.expressions}
    return frozenset(column.parts[0].name for column in tree.find_all(exp.Column)) - bound


@lru_cache(maxsize=10_000)
def aggregates(sql: str) -> bool:
    """Tell whether an expression gathers several rows into one value.

    >>> aggregates("sum(amount)"), aggregates("try_divide(total, number)")
    (True, False)
    """
    return parsed(sql).find(exp.AggFunc) is not None


@lru_cache(maxsize=1_000)
def tables_in(sql: str) -> frozenset[str]:
    """Return the tables a query reads, without its own `with` names.

    >>> sorted(tables_in("with a as (select * from t) select * from a join u using (id)"))
    ['t', 'u']
    """
    tree = _parse(sql, query=True)
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    return frozenset(table.name for table in tree.find_all(exp.Table)) - own


@lru_cache(maxsize=1_000)
def query_columns(sql: str) -> tuple[str, ...]:
    """Return the output column names of a query; empty where a `*` hides them."""
    tree = _parse(sql, query=True)
    if not isinstance(tree, exp.Query) or tree.is_star:
        return ()
    return tuple(tree.named_selects)


@lru_cache(maxsize=10_000)
def is_type(text: str) -> bool:
    """Tell whether `text` is a column type that Spark knows.

    >>> is_type("decimal(12,2)"), is_type("array<struct<id: string>>"), is_type("strng")
    (True, True, False)
    """
    try:
        tree = exp.DataType.build(text, dialect=DIALECT, udt=False)
    except (sqlglot.errors.SqlglotError, ValueError):
        return False
    return not any(kind.this in _NOT_COLUMN_TYPES for kind in tree.find_all(exp.DataType))


def _parse(sql: str, *, query: bool) -> exp.Expr:
    text = sql if query else f"SELECT {sql}"
    try:
        trees = sqlglot.parse(text, dialect=DIALECT)
    except sqlglot.errors.SqlglotError as error:
        raise InvalidSqlError(_reason(error)) from error
    if len(trees) != 1 or trees[0] is None:
        message = "one statement is expected"
        raise InvalidSqlError(message)
    if query:
        return trees[0]
    selected = trees[0].expressions
    if len(selected) != 1 or set(trees[0].args) & {"from", "from_", "where"} & {k for k, v in trees[0].args.items() if v}:
        message = "one expression is expected"
        raise InvalidSqlError(message)
    expression: exp.Expr = selected[0]
    return expression


def _reason(error: sqlglot.errors.SqlglotError) -> str:
    details = getattr(error, "errors", None)
    if details:
        near = details[0].get("highlight")
        return f"{details[0].get('description', 'cannot be parsed').rstrip('.')}" + (f', near "{near}"' if near else "")
    return str(error).splitlines()[0]
