"""What do contracts say that a catalog must hold?"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from framework.spec.access import VALUE
from framework.spec.names import literal, quoted
from framework.spec.problem import CannotRunError
from framework.spec.sql.parse import parsed
from framework.spec.sql.types import read_type
from framework.spec.table import MappedTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from framework.spec.project import Project
    from framework.spec.table import Privileges, Table

PRIVILEGES = {"select": "SELECT", "modify": "MODIFY"}
"""What contracts call a privilege, and what a catalog does."""

TAGS = ("layer", "pii")
"""The tags that are the framework's business; others are left alone."""

_REFUSED = re.compile(r"[./ \x00-\x1f\x7f]")
_LONGEST_NAME = 255
_OURS = "lakepact"


@dataclass(frozen=True)
class Function:
    """A function in the schema that masks a column or filters rows."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    returns: str
    body: str

    @property
    def comment(self) -> str:
        """Return the comment by which another definition of the same name is told."""
        return f"{_OURS} {hashlib.sha256(repr((self.parameters, self.returns, self.body)).encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class WantedTable:
    """What a catalog must hold of one table."""

    name: str
    owner: str
    comment: str
    columns: dict[str, str]
    """Types by name."""
    comments: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    column_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    grants: dict[str, frozenset[str]] = field(default_factory=dict)
    masks: dict[str, str] = field(default_factory=dict)
    """The function that masks a column."""
    filter: tuple[str, tuple[str, ...]] | None = None
    """The function that filters rows, and the columns that it is given."""
    is_made_by_runs: bool = True
    """Whether it may be made, empty, before the first run; a quarantine is only there once a row was refused."""


@dataclass(frozen=True)
class Wanted:
    """What a catalog must hold."""

    tables: dict[str, WantedTable]
    functions: dict[str, Function]

    @property
    def readers(self) -> frozenset[str]:
        """Return everybody who may do something with a table, and so has to get to it."""
        return frozenset(principal for table in self.tables.values() for principal in (*table.grants, table.owner))

    @property
    def owners(self) -> frozenset[str]:
        """Return those who own a table."""
        return frozenset(table.owner for table in self.tables.values())


def wanted(project: Project) -> Wanted:
    """Return what a catalog must hold.

    Raises:
        CannotRunError: a table or a column has a name that Unity Catalog does not take.
    """
    functions: dict[str, Function] = {}
    tables: dict[str, WantedTable] = {}
    for name, table in project.tables.items():
        _check_name(name)
        tables[name] = _table(project, table, functions)
        if project.facts[name].quarantine is not None and isinstance(table, MappedTable):
            found = _quarantine(project, table, functions)
            tables[found.name] = found
    return Wanted(tables, functions)


def _table(project: Project, table: Table, functions: dict[str, Function]) -> WantedTable:
    columns = {column.name: column.type for column in project.facts[table.table].columns.values()}
    held = {name: classes_of(project, table.table, name) for name in columns}
    masks = {}
    for name in columns:
        function = mask_of(project, table.table, name)
        if function:
            functions[function.name] = function
            masks[name] = function.name
    filtered = None
    if table.row_filter:
        function = filter_of(project, table.row_filter.use)
        functions[function.name] = function
        read = project.metadata.row_filters[table.row_filter.use].columns
        filtered = (function.name, tuple(table.row_filter.on.get(one, one) for one in read))
    all_classes = sorted({one for found in held.values() for one in found})
    return WantedTable(
        table.table,
        table.owner,
        table.description.strip(),
        columns,
        {column.name: column.description.strip() for column in table.all_columns if column.description},
        {"layer": table.layer} | ({"pii": ",".join(all_classes)} if all_classes else {}),
        {name: {"pii": ",".join(found)} for name, found in held.items() if found},
        _granted(table.grants),
        masks,
        filtered,
    )


def _quarantine(project: Project, table: MappedTable, functions: dict[str, Function]) -> WantedTable:
    """Return what a catalog must hold of the refused rows, which have the source's columns."""
    columns: dict[str, str] = {}
    tags: dict[str, dict[str, str]] = {}
    masks: dict[str, str] = {}
    for source in table.all_sources:
        for column in project.facts[source.table].columns.values():
            columns[column.name] = column.type
            found = classes_of(project, source.table, column.name)
            function = mask_of(project, source.table, column.name)
            if found:
                tags[column.name] = {"pii": ",".join(found)}
            if function:
                functions[function.name] = function
                masks[column.name] = function.name
    classes = sorted({one for found in tags.values() for one in found["pii"].split(",")})
    return WantedTable(
        f"{table.table}_quarantine",
        table.owner,
        f"Rows that {table.table} refused, as their source holds them, with all reasons.",
        columns,
        {},
        {"layer": table.layer} | ({"pii": ",".join(classes)} if classes else {}),
        tags,
        _granted(table.quarantine.grants),
        masks,
        is_made_by_runs=False,
    )


def _granted(grants: Mapping[str, Privileges]) -> dict[str, frozenset[str]]:
    return {principal: frozenset(PRIVILEGES[one] for one in privileges) for principal, privileges in grants.items()}


def classes_of(project: Project, table: str, column: str) -> tuple[str, ...]:
    """Return the classes of personal data that a column holds."""
    return tuple(sorted(project.lineage.taint((table, column.lower()))))


def cleared_for(project: Project, classes: Iterable[str]) -> tuple[str, ...]:
    """Return the principals who may see all of some classes in clear."""
    needed = set(classes)
    return tuple(name for name, one in sorted(project.metadata.principals.items()) if needed <= set(one.clearance))


def mask_sql(project: Project, table: str, column: str) -> str | None:
    """Return what those see of a column who are not cleared for it, as SQL over `value`; None where it has no mask."""
    classes, contract = classes_of(project, table, column), project.tables[table]
    facts = project.facts[table].columns[column.lower()]
    own = next((one.mask for one in contract.all_columns if one.name.lower() == column.lower()), None)
    known = project.metadata.pii
    masks = [known[one].mask for one in classes if one in known]
    if not classes or own is False or (own is None and not all(masks)):
        return None
    if read_type(facts.type).family != "text":
        return "null"
    # Two masks of one column may each show what the other hides.
    said = own or (masks[0] if len(set(masks)) == 1 else None)
    return said or "null"


def mask_of(project: Project, table: str, column: str) -> Function | None:
    """Return the function that masks a column; None where it has no mask."""
    sql = mask_sql(project, table, column)
    if sql is None:
        return None
    classes, facts = classes_of(project, table, column), project.facts[table].columns[column.lower()]
    own = next((one.mask for one in project.tables[table].all_columns if one.name.lower() == column.lower()), None)
    is_clear = _belongs_to(cleared_for(project, classes))
    body = f"CASE WHEN {is_clear} THEN {quoted(VALUE)} ELSE CAST({written(sql)} AS {facts.type}) END"
    name = _named("mask", [table, column] if own else [*classes, facts.type])
    return Function(name, ((VALUE, facts.type),), facts.type, body)


def filter_of(project: Project, name: str) -> Function:
    """Return the function that filters rows."""
    found = project.metadata.row_filters[name]
    parts = [_belongs_to(sorted(found.unlimited))] if found.unlimited else []
    for principal, condition in sorted(found.sees.items()):
        if condition != "all":
            parts.append(f"({_belongs_to([principal])} AND COALESCE({written(condition)}, FALSE))")
    return Function(_named("filter", [name]), tuple(found.columns.items()), "boolean", " OR ".join(parts) or "FALSE")


def _belongs_to(principals: Iterable[str]) -> str:
    return " OR ".join(f"is_account_group_member({literal(name)})" for name in principals) or "FALSE"


def written(sql: str) -> str:
    """Return an expression as it is put into a function: what it means, whatever comments it holds."""
    return parsed(sql).sql("databricks", normalize_functions=False, comments=False)


def _named(kind: str, parts: Iterable[str]) -> str:
    text = "_".join([_OURS, kind, *parts])
    name = re.sub(r"[^\w]+", "_", text, flags=re.ASCII).lower().strip("_")
    if name == text and len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _check_name(name: str) -> None:
    if _REFUSED.search(name) or len(f"{name}_quarantine") > _LONGEST_NAME:
        raise CannotRunError(
            f'A catalog takes no table "{name}".', "use no dot, blank or slash in a table's name, and 244 characters at most."
        )
