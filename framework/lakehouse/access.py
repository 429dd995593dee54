"""What does a catalog hold of grants, owners, comments, tags, masks and filters, and how is a step carried out there?

Grants and owners go through databricks-sdk; what it has no call for in all supported versions goes as SQL through a SQL
warehouse, or the session of a job, written by `plan/access/statements.py`.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from framework.lakehouse.session import is_on_databricks, start_session
from framework.plan.access.differences import Seen, SeenTable, differences
from framework.plan.access.statements import statement
from framework.plan.access.steps import Grant, Revoke, SetOwner, TellDrift
from framework.plan.access.wanted import wanted
from framework.spec.metadata import Catalog
from framework.spec.names import TableName, literal
from framework.spec.problem import CannotRunError, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from databricks.sdk import WorkspaceClient

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.plan.access.differences import Grants
    from framework.plan.access.steps import AccessStep

_AT_ONCE = 8
_PAUSE_SECONDS = 0.5
_PATIENCE_SECONDS = 600
_TRIED_SECONDS = 30
"""How long a workspace that does not answer is tried; the client's own five minutes are long for whoever misspelled its address."""


def connected() -> WorkspaceClient:
    """Return a client for the workspace that the environment's variables or the configuration file name.

    Raises:
        CannotRunError: databricks-sdk is missing, or nothing says which workspace.
    """
    try:
        from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - only who applies access needs it
        from databricks.sdk.core import Config  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise CannotRunError("databricks-sdk is not installed.", "pip install 'lakepact[databricks]'") from error
    try:
        return WorkspaceClient(config=Config(product="lakepact", product_version="0", retry_timeout_seconds=_TRIED_SECONDS))
    except ValueError as error:
        raise CannotRunError(
            "Nothing says which workspace holds the catalog, or as whom to go there.",
            "set DATABRICKS_HOST and a token or client, or DATABRICKS_CONFIG_PROFILE.",
        ) from error


class CatalogAccess:
    """A catalog's schema, as far as access goes."""

    def __init__(self, environment: Catalog, client: WorkspaceClient) -> None:
        """Remember which schema and how to reach it."""
        self.environment, self.client = environment, client
        self.schema = (environment.catalog, environment.schema_name)
        self.managed = set(environment.access.manage)

    def seen(self, names: Iterable[str]) -> Seen:
        """Return what the catalog holds of some tables and of what they stand in.

        Raises:
            CannotRunError: the catalog cannot be reached or read.
        """
        wanted_names = {name.lower(): name for name in names}
        try:
            catalog, schema = map(quote, self.schema)
            above = (self._grants("catalog", catalog), self._grants("schema", f"{catalog}.{schema}"))
            there = [one for one in self.client.tables.list(*self.schema) if str(one.name).lower() in wanted_names]
            tags, column_tags = self._tags() if "tags" in self.managed else ({}, {})
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="catalog") as pool:
                tables = list(pool.map(lambda one: self._table(wanted_names[str(one.name).lower()], tags, column_tags), there))
            functions = {}
            if self.managed & {"masks", "filters"}:
                functions = {str(one.name): one.comment or "" for one in self.client.functions.list(*self.schema)}
        except Exception as error:
            raise _told(error) from error
        return Seen(dict(tables), functions, above[1], above[0])

    def _table(
        self, name: str, tags: dict[str, dict[str, str]], column_tags: dict[str, dict[str, dict[str, str]]]
    ) -> tuple[str, SeenTable]:
        full = ".".join(map(quote, (*self.schema, name)))
        one = self.client.tables.get(full)
        columns = list(one.columns or ())
        filtered = one.row_filter
        return name, SeenTable(
            one.owner or "",
            one.comment or "",
            {str(column.name): column.comment or "" for column in columns},
            tags.get(name.lower(), {}),
            column_tags.get(name.lower(), {}),
            self._grants("table", full),
            {str(column.name): _last(str(column.mask.function_name)) for column in columns if column.mask},
            (_last(str(filtered.function_name)), tuple(filtered.input_column_names or ())) if filtered else None,
        )

    def _grants(self, kind: str, full_name: str) -> Grants:
        found: dict[str, set[str]] = {}
        page = None
        while True:
            answer = self.client.grants.get(kind, full_name, **({"page_token": page} if page else {}))
            for one in answer.privilege_assignments or ():
                found.setdefault(str(one.principal), set()).update(privilege.value for privilege in one.privileges or () if privilege)
            page = getattr(answer, "next_page_token", None)
            if not page:
                return {principal: frozenset(privileges) for principal, privileges in found.items() if privileges}

    def _tags(self) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, dict[str, str]]]]:
        """Return the tags of tables and of columns, in one question each."""
        catalog, schema = TableName(self.schema[:1]), literal(self.schema[1].lower())
        names = ("table_name, tag_name, tag_value", "table_name, column_name, tag_name, tag_value")
        tables: dict[str, dict[str, str]] = {}
        columns: dict[str, dict[str, dict[str, str]]] = {}
        for table, key, value in self.sql(
            f"SELECT {names[0]} FROM {catalog}.information_schema.table_tags WHERE lower(schema_name) = {schema}"  # noqa: S608 - quoted
        ):
            tables.setdefault(str(table).lower(), {})[str(key)] = str(value)
        for table, column, key, value in self.sql(
            f"SELECT {names[1]} FROM {catalog}.information_schema.column_tags WHERE lower(schema_name) = {schema}"  # noqa: S608 - quoted
        ):
            columns.setdefault(str(table).lower(), {}).setdefault(str(column), {})[str(key)] = str(value)
        return tables, columns

    def carry_out(self, step: AccessStep) -> None:
        """Carry out one step.

        Raises:
            RunError: the catalog refused it.
        """
        full = ".".join(map(quote, (*self.schema, step.name)))
        try:
            match step:
                case Grant() | Revoke():
                    self._change(step, {"table": full, "schema": full[:-1], "catalog": quote(self.schema[0])}[step.level])
                case SetOwner():
                    self.client.tables.update(full, owner=step.owner)
                case TellDrift():
                    pass
                case _:
                    self.sql(statement(step, self.schema))
        except CannotRunError:
            raise
        except Exception as error:
            raise RunError(f"{statement(step, self.schema)}\n  was refused: {_first_line(error)}") from error

    def _change(self, step: Grant | Revoke, full_name: str) -> None:
        from databricks.sdk.service.catalog import PermissionsChange, Privilege  # noqa: PLC0415 - only who applies access needs it

        privileges = [Privilege(name) for name in step.privileges]
        add, remove = (privileges, []) if isinstance(step, Grant) else ([], privileges)
        self.client.grants.update(step.level, full_name, changes=[PermissionsChange(add=add, remove=remove, principal=step.principal)])

    def sql(self, text: str) -> list[list[Any]]:
        """Send a statement to the SQL warehouse and return its rows, as text; in a job without one, to Spark.

        Raises:
            CannotRunError: no warehouse is named.
            RunError: the statement failed.
        """
        warehouse = self.environment.access.warehouse or os.environ.get("DATABRICKS_WAREHOUSE_ID", "")
        if not warehouse and is_on_databricks():
            return [[None if value is None else str(value) for value in row] for row in start_session({}).sql(text).collect()]
        if not warehouse:
            raise CannotRunError(
                "Masks, filters, tags and comments are statements, and no SQL warehouse is named for them.",
                "set DATABRICKS_WAREHOUSE_ID, or `access: {warehouse: …}` in metadata/environments.yml; "
                "`access: {manage: [grants, owners]}` does without.",
            )
        answer = self.client.statement_execution.execute_statement(text, warehouse, wait_timeout="30s")
        until = time.monotonic() + _PATIENCE_SECONDS
        while _state(answer) in {"PENDING", "RUNNING"} and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS)
            answer = self.client.statement_execution.get_statement(str(answer.statement_id))
        if _state(answer) != "SUCCEEDED":
            told = answer.status.error.message if answer.status and answer.status.error else _state(answer).lower()
            raise RunError(str(told))
        rows = list(answer.result.data_array or ()) if answer.result else []
        chunk = answer.result.next_chunk_index if answer.result else None
        while chunk:
            more = self.client.statement_execution.get_statement_result_chunk_n(str(answer.statement_id), chunk)
            rows += more.data_array or ()
            chunk = more.next_chunk_index
        return [list(row) for row in rows]


def _state(answer: Any) -> str:
    return str(answer.status.state.value) if answer.status and answer.status.state else "UNKNOWN"


def _last(full_name: str) -> str:
    """Return the name of a function without its catalog and schema."""
    return full_name.rsplit(".", 1)[-1].strip("`")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _told(error: Exception) -> CannotRunError | RunError:
    if isinstance(error, CannotRunError | RunError):
        return error
    return CannotRunError(
        f"The catalog cannot be read: {_first_line(error)}.",
        "check the host, the token, the names in metadata/environments.yml, and that you may use catalog and schema.",
    )


def catalog_access(lakehouse: Lakehouse, client: WorkspaceClient | None = None) -> CatalogAccess:
    """Return the access of an environment's catalog.

    Raises:
        CannotRunError: the environment keeps tables in folders.
    """
    if not isinstance(lakehouse.environment, Catalog):
        raise CannotRunError(
            f"The environment {lakehouse.name} keeps tables in folders, which have no grants.",
            "name a catalog with --env; `lakepact access` tells without one who may see what.",
        )
    return CatalogAccess(lakehouse.environment, client or connected())


def access_steps(lakehouse: Lakehouse, there: CatalogAccess) -> tuple[AccessStep, ...]:
    """Return what has to be done so that a catalog holds what contracts say."""
    want = wanted(lakehouse.project)
    return differences(want, there.seen(want.tables), there.environment.access, lakehouse.project.metadata.principals)


def apply_access(lakehouse: Lakehouse, there: CatalogAccess, progress: Callable[[AccessStep], None] = lambda _: None) -> list[AccessStep]:
    """Bring the catalog to what contracts say, read it back, and return what was done and the drift that is left.

    Raises:
        RunError: the catalog refused a step, or does not hold afterwards what it was given.
    """
    done = []
    for step in access_steps(lakehouse, there):
        there.carry_out(step)
        progress(step)
        done.append(step)
    left = [step for step in access_steps(lakehouse, there) if not isinstance(step, TellDrift)]
    if left:
        told = "; ".join(statement(step, there.schema) for step in left[:3])
        raise RunError(f"The catalog took {len(done)} changes, and does not hold {len(left)} of them now: {told}")
    return done
