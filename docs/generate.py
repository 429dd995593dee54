"""Writes what is made from the models: editor schemas, the contract reference, and a page per problem code.

`make docs` runs it; a test tells when it has to be run.
"""

from __future__ import annotations

import json
import re
import sys
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from framework.lakehouse.run_tables import SCHEMAS
from framework.spec.access import RowFilter, as_row_filter
from framework.spec.alerts import Mail, Secret, Webhook
from framework.spec.checks import KINDS, Check
from framework.spec.codes import CODES
from framework.spec.grammar import as_pairs
from framework.spec.metadata import Catalog, Folders, Layer, PiiClass, Principal
from framework.spec.openlineage import EventFile, EventServer
from framework.spec.render import page_of
from framework.spec.schema import contract_schema, metadata_schemas
from framework.spec.source import as_source
from framework.spec.table import FileTable, GroupedTable, MappedTable, QueryTable

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]


def generated() -> dict[str, str]:
    """Return every generated file's text by its path below the project."""
    files = {"metadata/contract.schema.json": _json(contract_schema()), "docs/contract-reference.md": reference()}
    files |= {f"metadata/{name}.schema.json": _json(schema) for name, schema in metadata_schemas().items()}
    files["docs/run-tables.md"] = run_tables()
    files |= {f"docs/errors/{code}.md": page_of(code) for code in CODES}
    return files | {"docs/errors/README.md": _index()}


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _index() -> str:
    lines = ["# Problems by code", "", "`lakepact explain CODE` prints the same page. Made by `make docs`.", ""]
    lines += ["| code | | means |", "| --- | --- | --- |"]
    lines += [f"| [{code}]({code}.md) | {'warning' if one.is_warning else 'error'} | {one.title} |" for code, one in CODES.items()]
    return "\n".join(lines) + "\n"


_COLUMN = re.compile(r"(\w+) ([^']+) COMMENT '((?:[^']|'')*)'")


def run_tables() -> str:
    """Return the page with the columns of the tables of runs."""
    lines = ["# Tables of runs", "", "What a run leaves for SQL; [operate.md](operate.md) tells more. Made by `make docs`.", ""]
    for name, schema in SCHEMAS.items():
        lines += [f"## `{name}`", "", "| column | type | means |", "| --- | --- | --- |"]
        lines += [f"| `{column}` | {type_} | {_plain(comment)} |" for column, type_, comment in _COLUMN.findall(schema)]
        lines.append("")
    return "\n".join(lines)


def _plain(comment: str) -> str:
    return comment.replace("''", "'")


HEADINGS: dict[type[BaseModel], str] = {
    FileTable: "Rows from files",
    MappedTable: "Rows from tables",
    GroupedTable: "Groups",
    QueryTable: "Queries",
}


def reference() -> str:
    """Return the page with every key of every kind of contract."""
    parts = [
        "# Contract reference\n\nMade from the models by `make docs`.",
        "Every key that a contract or a metadata file may have. [contracts.md](contracts.md) shows the same by example.",
    ]
    told: set[type[BaseModel]] = set()
    shared = set(FileTable.model_fields) & set(MappedTable.model_fields) & set(GroupedTable.model_fields) & set(QueryTable.model_fields)
    common = shared - {"columns"}
    parts += ["## Every contract", _table(FileTable, only=common)]
    waiting: list[type[BaseModel]] = _below(FileTable, only=common)
    for model, heading in HEADINGS.items():
        parts += [f"## {heading}", _doc(model), _table(model, leave_out=common)]
        waiting += _below(model, leave_out=common)
    parts.append("## Parts of a contract")
    while waiting:
        model = waiting.pop(0)
        if model in told:
            continue
        told.add(model)
        parts += [f"### {_title(model)}", _doc(model), _table(model)]
        waiting += _below(model)
    parts.append("## Metadata")
    for model, file in (
        (Folders, "environments.yml, kind: folders"),
        (Catalog, "environments.yml, kind: catalog"),
        (Layer, "layers.yml"),
        (Principal, "principals.yml"),
        (PiiClass, "pii.yml"),
        (RowFilter, "row_filters.yml"),
        (Webhook, "alerts.yml, kind: json, slack or teams"),
        (Mail, "alerts.yml, kind: mail"),
        (EventServer, "openlineage.yml, kind: http"),
        (EventFile, "openlineage.yml, kind: file"),
        (Secret, "A secret"),
    ):
        parts += [f"### {file}", _doc(model), _table(model)]
    return "\n\n".join(parts) + "\n"


def _title(model: type[BaseModel]) -> str:
    kind = next((kind for kind, one in KINDS.items() if one is model), None)
    return f"Check: {kind}" if kind else model.__name__


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _table(model: type[BaseModel], only: set[str] | None = None, leave_out: set[str] | None = None) -> str:
    lines = ["| key | takes | default | means |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        if (only is not None and name not in only) or (leave_out and name in leave_out):
            continue
        example = f" Example: {_code(field.examples[0])}." if field.examples else ""
        meaning = (field.description or "").replace("|", "\\|")
        takes = _short_form(field.metadata) or _takes(field.annotation)
        lines.append(f"| `{field.alias or name}` | {takes} | {_default(field)} | {meaning}{example} |")
    return "\n".join(lines)


def _code(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return f"`{text}`".replace("|", "\\|")


def _default(field: Any) -> str:
    if field.is_required():
        return "**required**"
    value = field.default_factory() if field.default_factory else field.default
    if value is None or value is PydanticUndefined or value in ([], {}):
        return ""
    if isinstance(value, BaseModel):
        return ""
    return _code(value)


def _short_form(metadata: Iterable[Any]) -> str | None:
    """Return in words what a key takes that has a short form; None where it has none."""
    functions = {getattr(one, "func", None) for one in metadata}
    if as_pairs in functions:
        return "list of names, or mapping of the name here to the name there"
    if as_row_filter in functions:
        return "a filter's name, or [RowFilterUse](#rowfilteruse)"
    return "a table's name, or [TableSource](#tablesource)" if as_source in functions else None


def _takes(annotation: Any) -> str:
    """Return in words what a key takes."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _short_form(arguments[1:]) or _takes(arguments[0])
    if origin in {typing.Union, types.UnionType}:
        words = list(dict.fromkeys(_takes(one) for one in arguments if one is not type(None)))
        if len(words) > 3 and all("Check:" in word for word in words):  # noqa: PLR2004 - the list of checks
            return "a check"
        return " or ".join(words)
    if origin is Literal:
        return " \\| ".join(f"`{str(one).lower() if isinstance(one, bool) else one}`" for one in arguments)
    if origin in {list, tuple}:
        return f"list of {_takes(arguments[0])}"
    if origin is dict:
        return f"mapping of {_takes(arguments[0])} to {_takes(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        title = _title(annotation)
        return f"[{title}](#{title.lower().replace(':', '').replace(' ', '-')})"
    return {str: "text", int: "whole number", float: "number", bool: "`true` \\| `false`"}.get(annotation, "anything")


def _below(model: type[BaseModel], only: set[str] | None = None, leave_out: set[str] | None = None) -> list[type[BaseModel]]:
    fields = [f for name, f in model.model_fields.items() if (only is None or name in only) and not (leave_out and name in leave_out)]
    return [found for field in fields for found in _models_in(field.annotation)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [] if annotation is Check else [annotation]
    return [found for one in typing.get_args(annotation) for found in _models_in(one)]


def main() -> None:
    """Write all generated files, and remove pages of codes that are no more."""
    files = generated()
    for path in (ROOT / "docs/errors").glob("*.md"):
        if f"docs/errors/{path.name}" not in files:
            path.unlink()
    for name, text in files.items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, "utf-8")
    sys.stdout.write(f"{len(files)} files written.\n")


if __name__ == "__main__":
    main()
