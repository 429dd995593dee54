"""How is a step written as SQL for Unity Catalog?"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from framework.plan.access.steps import (
    AccessStep,
    DropFilter,
    DropMask,
    Grant,
    MakeTable,
    PutFunction,
    Revoke,
    SetComment,
    SetFilter,
    SetMask,
    SetOwner,
    SetTags,
    TellDrift,
    UnsetTags,
)
from framework.spec.names import TableName, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framework.plan.access.steps import Level

Schema = tuple[str, str]
"""A catalog and a schema in it."""


@singledispatch
def statement(step: AccessStep, schema: Schema) -> str:
    """Return the statement that carries out `step`; none for what changes nothing."""
    raise NotImplementedError(type(step).__name__)


@statement.register
def _make(step: MakeTable, schema: Schema) -> str:
    columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in step.columns)
    return f"CREATE TABLE IF NOT EXISTS {_in(schema, step.name)} ({columns}) USING DELTA COMMENT {literal(step.comment)}"


@statement.register
def _put(step: PutFunction, schema: Schema) -> str:
    one = step.function
    parameters = ", ".join(f"{quoted(name)} {type_}" for name, type_ in one.parameters)
    return (
        f"CREATE OR REPLACE FUNCTION {_in(schema, one.name)}({parameters}) RETURNS {one.returns} "
        f"COMMENT {literal(one.comment)} RETURN {one.body}"
    )


@statement.register
def _set_mask(step: SetMask, schema: Schema) -> str:
    return f"{_column(schema, step.name, step.column)} SET MASK {_in(schema, step.function)}"


@statement.register
def _drop_mask(step: DropMask, schema: Schema) -> str:
    return f"{_column(schema, step.name, step.column)} DROP MASK"


@statement.register
def _set_filter(step: SetFilter, schema: Schema) -> str:
    columns = ", ".join(map(quoted, step.columns))
    return f"ALTER TABLE {_in(schema, step.name)} SET ROW FILTER {_in(schema, step.function)} ON ({columns})"


@statement.register
def _drop_filter(step: DropFilter, schema: Schema) -> str:
    return f"ALTER TABLE {_in(schema, step.name)} DROP ROW FILTER"


@statement.register
def _set_tags(step: SetTags, schema: Schema) -> str:
    tags = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in step.tags)
    return f"{_column(schema, step.name, step.column)} SET TAGS ({tags})"


@statement.register
def _unset_tags(step: UnsetTags, schema: Schema) -> str:
    return f"{_column(schema, step.name, step.column)} UNSET TAGS ({', '.join(map(literal, step.tags))})"


@statement.register
def _set_comment(step: SetComment, schema: Schema) -> str:
    if step.column:
        return f"{_column(schema, step.name, step.column)} COMMENT {literal(step.comment)}"
    return f"COMMENT ON TABLE {_in(schema, step.name)} IS {literal(step.comment)}"


@statement.register
def _grant(step: Grant, schema: Schema) -> str:
    return f"GRANT {_privileges(step.privileges)} ON {_securable(step.level, step.name, schema)} TO {quoted(step.principal)}"


@statement.register
def _revoke(step: Revoke, schema: Schema) -> str:
    return f"REVOKE {_privileges(step.privileges)} ON {_securable(step.level, step.name, schema)} FROM {quoted(step.principal)}"


@statement.register
def _set_owner(step: SetOwner, schema: Schema) -> str:
    return f"ALTER TABLE {_in(schema, step.name)} SET OWNER TO {quoted(step.owner)}"


@statement.register
def _tell(step: TellDrift, schema: Schema) -> str:  # noqa: ARG001 - it changes nothing
    return ""


def as_record(step: AccessStep, schema: Schema) -> dict[str, str]:
    """Return a step as plain values."""
    return {"step": type(step).__name__, "table": step.name, "because": step.because, "statement": statement(step, schema)}


def _in(schema: Schema, name: str) -> str:
    return str(TableName((*schema, name)))


def _column(schema: Schema, table: str, column: str) -> str:
    """Return how a change to a column begins; to the table, where none is named."""
    return f"ALTER TABLE {_in(schema, table)}" + (f" ALTER COLUMN {quoted(column)}" if column else "")


def _privileges(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def _securable(level: Level, name: str, schema: Schema) -> str:
    if level == "table":
        return f"TABLE {_in(schema, name)}"
    return f"SCHEMA {TableName(schema)}" if level == "schema" else f"CATALOG {TableName(schema[:1])}"
