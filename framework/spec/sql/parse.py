"""What does an SQL text in a contract look like as a tree?

Parsed by sqlglot in the Databricks dialect, with one change: a function keeps the name and the arguments it is written
with, so that they can be held against what Spark itself knows. Spark runs the text as it is written.
"""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.parsers.databricks import DatabricksParser
from sqlglot.tokenizer_core import Token, TokenType

from framework.spec.sql.functions import is_aggregate

_WITH_WORDS_INSIDE = {"CAST", "TRY_CAST", "EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "OVERLAY", "POSITION"}
"""Functions whose arguments may be parted by words, such as `extract(year from x)`."""

_PREFIX = "SELECT "
_MOST_CHARACTERS = 20_000


class ContractSql(Databricks):
    """Databricks SQL whose functions are left as they are written."""

    class Parser(DatabricksParser):
        """sqlglot's parser, but for the functions."""

        FUNCTIONS = {}  # noqa: RUF012 - sqlglot reads it from the class
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parser for name, parser in DatabricksParser.FUNCTION_PARSERS.items() if name in _WITH_WORDS_INSIDE
        }
        NO_PAREN_FUNCTION_PARSERS = {  # noqa: RUF012
            name: parser for name, parser in DatabricksParser.NO_PAREN_FUNCTION_PARSERS.items() if name in {"ANY", "CASE", "IF"}
        }


_DIALECT = ContractSql()


class InvalidSqlError(ValueError):
    """The text is not SQL; the message says why, `offset` and `length` where in the text."""

    def __init__(self, message: str, offset: int = 0, length: int = 1) -> None:
        """Keep the place within the text."""
        self.offset, self.length = offset, length
        super().__init__(message)


@lru_cache(maxsize=10_000)
def parsed(sql: str) -> exp.Expr:
    """Return the syntax tree of an expression.

    Raises:
        InvalidSqlError: the text is not one SQL expression.
    """
    tree = _parse(_PREFIX + sql, len(_PREFIX))
    if not isinstance(tree, exp.Select):
        raise InvalidSqlError("one expression is expected, not a statement")
    if len(tree.expressions) != 1:
        raise InvalidSqlError(f"one expression is expected, not {len(tree.expressions)}")
    if any(value for name, value in tree.args.items() if name != "expressions"):
        raise InvalidSqlError("one expression is expected, not a query or a part of one")
    expression: exp.Expr = tree.expressions[0]
    if isinstance(expression, exp.Alias):
        raise InvalidSqlError(f'"{expression.alias}" stands behind the expression without an operator; the column has its name already')
    return expression


@lru_cache(maxsize=1_000)
def parsed_query(sql: str) -> exp.Query:
    """Return the syntax tree of a query.

    Raises:
        InvalidSqlError: the text is not one SELECT.
    """
    tree = _parse(sql, 0)
    if not isinstance(tree, exp.Query):
        raise InvalidSqlError("one SELECT is expected")
    return tree


def _parse(text: str, prefix: int) -> exp.Expr:
    if len(text) > _MOST_CHARACTERS:
        raise InvalidSqlError(f"the text has {len(text):,} characters; {_MOST_CHARACTERS:,} are taken at most")
    try:
        tokens = _DIALECT.tokenize(text)
        _check_brackets(tokens, prefix)
        trees = _DIALECT.parser().parse(tokens, text)
    except InvalidSqlError:
        raise
    except sqlglot.errors.ParseError as error:
        raise _located(error, text, prefix) from error
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError, TypeError, AttributeError) as error:
        # sqlglot's tokenizer says no place, and its parser stumbles over some malformed texts.
        raise InvalidSqlError("a quote or a bracket is not closed, or it is nested too deep" if prefix else "it cannot be read") from error
    if len(trees) != 1 or trees[0] is None:
        raise InvalidSqlError("one statement is expected" if any(trees) else "there is nothing")
    return trees[0]


_OPENING = {TokenType.L_PAREN: TokenType.R_PAREN, TokenType.L_BRACKET: TokenType.R_BRACKET}


def _check_brackets(tokens: list[Token], prefix: int) -> None:
    """Check what sqlglot lets pass: a bracket that is left open after `cast` and its like, a comma with nothing behind it."""
    open_: list[Token] = []
    before: Token | None = None
    for token in tokens:
        kind = token.token_type
        if kind in _OPENING:
            open_.append(token)
        elif kind in _OPENING.values():
            if not open_ or _OPENING[open_.pop().token_type] is not kind:
                raise InvalidSqlError("a bracket is closed that is not open", token.start - prefix)
            if before is not None and before.token_type is TokenType.COMMA:
                raise InvalidSqlError("nothing follows the comma", before.start - prefix)
        elif kind is TokenType.COMMA and before is not None and before.token_type in {TokenType.COMMA, TokenType.L_PAREN}:
            raise InvalidSqlError("nothing stands before the comma", token.start - prefix)
        before = token
    if open_:
        raise InvalidSqlError("a bracket is not closed", open_[-1].start - prefix)


def _located(error: sqlglot.errors.ParseError, text: str, prefix: int) -> InvalidSqlError:
    details = error.errors[0] if error.errors else {}
    near = details.get("highlight") or ""
    why = (
        (details.get("description") or "it cannot be read")
        .rstrip(".")
        .replace("Invalid expression / Unexpected token", "it cannot be read")
    )
    lines = text.split("\n")
    line, column = details.get("line") or 1, details.get("col") or 1
    offset = sum(len(one) + 1 for one in lines[: line - 1]) + max(0, column - len(near)) - prefix
    message = f'{why[0].lower()}{why[1:]}, near "{near}"' if near else f"{why[0].lower()}{why[1:]}"
    return InvalidSqlError(message, max(0, min(offset, len(text) - prefix - 1)), max(1, len(near)))


def name_of(node: exp.Expr) -> str | None:
    """Return the lower-case name of the function that a node calls; None where it calls none."""
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower() if isinstance(node.this, str) else node.name.lower()
    return _NAMED.get(type(node))


_NAMED: dict[type[exp.Expr], str] = {
    exp.CurrentDate: "current_date",
    exp.CurrentTimestamp: "current_timestamp",
    exp.CurrentUser: "current_user",
    exp.SessionUser: "session_user",
}


def span_of(node: exp.Expr) -> tuple[int, int] | None:
    """Return where a node stands in its text, as offset and length; None where sqlglot does not say."""
    best: tuple[int, int] | None = None
    last = 0
    for part in node.walk():
        start, end = part.meta.get("start"), part.meta.get("end")
        if start is not None and end is not None:
            last = max(last, end)
            if best is None or start < best[0]:
                best = start, end - start + 1
    named = node.this if isinstance(node, exp.Alias) else node
    return (best[0], last - best[0] + 1) if best and named is node and isinstance(node, exp.Column) else best


def expression_span(node: exp.Expr) -> tuple[int, int] | None:
    """Return where a node stands in the text of its expression."""
    found = span_of(node)
    return (max(0, found[0] - len(_PREFIX)), found[1]) if found else None


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
    return any(is_aggregate(name) for node in parsed(sql).walk() if (name := name_of(node)))


@lru_cache(maxsize=1_000)
def tables_in(sql: str) -> frozenset[str]:
    """Return the tables a query reads, without its own `with` names.

    >>> sorted(tables_in("with a as (select * from t) select * from a join u using (id)"))
    ['t', 'u']
    """
    tree = parsed_query(sql)
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    return frozenset(table.name for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier)) - own
