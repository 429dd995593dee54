"""What does an editor need to know of a contract: its JSON Schema, made from the models?

A contract's kind is told by its keys, as in `kind_of`; what a layer's defaults or `like` may fill in is not required.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from framework.spec.access import RowFilter
from framework.spec.alerts import Mail, Webhook
from framework.spec.metadata import Catalog, Folders, Layer, PiiClass, Principal
from framework.spec.openlineage import EventFile, EventServer
from framework.spec.table import FileTable, GroupedTable, MappedTable, QueryTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_LIKE = {
    "type": "string",
    "description": "The table whose source, joins, text, columns and checks this contract takes over where it has none.",
}
_FILLED_IN = {"owner"}
_FROM_LIKE = {"columns"}


def contract_schema() -> dict[str, Any]:
    """Return the schema of a contract."""
    models: list[type[BaseModel]] = [FileTable, QueryTable, GroupedTable, MappedTable]
    definitions = _definitions(models)
    kinds = {model.__name__: {"$ref": f"#/$defs/{model.__name__}"} for model in models}
    for model in models:
        one = definitions[model.__name__]
        one["properties"] = {**one["properties"], "like": _LIKE}
        one["required"] = [key for key in one["required"] if key not in _FILLED_IN]
    mapped = definitions["MappedTable"]
    mapped["required"] = [key for key in mapped["required"] if key not in _FROM_LIKE]
    # `columns` may be missing only where `like` says whose they are; one of these says where the rows come from.
    mapped["anyOf"] = [{"required": ["like"]}, {"required": ["columns", "source"]}, {"required": ["columns", "sources"]}]
    choice: dict[str, Any] = kinds["MappedTable"]
    for key, kind in (("group_by", "GroupedTable"), ("sql", "QueryTable"), ("files", "FileTable")):
        choice = {"if": {"required": [key]}, "then": kinds[kind], "else": choice}
    return {
        "$schema": _DRAFT,
        "title": "Lakepact contract",
        "description": "One table: where its rows come from, its columns, rules, grants and retention.",
        "type": "object",
        **choice,
        "$defs": definitions,
    }


def metadata_schemas() -> Mapping[str, dict[str, Any]]:
    """Return the schema of each metadata file by its name."""
    return {
        "environments": _mapping_of("Where tables and deliveries are, by environment.", Folders, Catalog),
        "layers": _mapping_of("The layers from the first to the last, and what their contracts need not repeat.", Layer),
        "principals": _mapping_of("Who may be granted to, and the PII classes that they may see in clear.", Principal),
        "pii": _mapping_of("Classes of personal data.", PiiClass),
        "row_filters": _mapping_of("Which rows a principal sees, by filter.", RowFilter),
        "alerts": _mapping_of("Who is told what, and how, by channel.", Webhook, Mail),
        "openlineage": _mapping_of("Who gets OpenLineage events, by receiver.", EventServer, EventFile),
    }


def _mapping_of(description: str, *models: type[BaseModel]) -> dict[str, Any]:
    definitions = _definitions(list(models))
    refs = [{"$ref": f"#/$defs/{model.__name__}"} for model in models]
    value = refs[0] if len(refs) == 1 else {"oneOf": refs}
    return {"$schema": _DRAFT, "description": description, "type": "object", "additionalProperties": value, "$defs": definitions}


def _definitions(models: list[type[BaseModel]]) -> dict[str, Any]:
    _, found = models_json_schema([(model, "validation") for model in models], by_alias=True)
    definitions: dict[str, Any] = found["$defs"]
    for one in definitions.values():
        _mend(one)
    return definitions


def _mend(node: Any) -> None:
    """Say what pydantic leaves out or says of its own accord: short forms, and titles that repeat a key."""
    if isinstance(node, list):
        for one in node:
            _mend(one)
    if not isinstance(node, dict):
        return
    node.pop("title", None) if not isinstance(node.get("title"), dict) else None
    properties = node.get("properties")
    if isinstance(properties, dict):
        for key, one in properties.items():
            if isinstance(one, dict):
                _open(key, one, node)
    for one in node.values():
        _mend(one)


def _open(key: str, one: dict[str, Any], owner: dict[str, Any]) -> None:
    """Let a key take its short form too."""
    names: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 0}
    if key in {"on", "take"} and one.get("type") == "object":
        one.pop("type", None)
        one.pop("additionalProperties", None)
        one["anyOf"] = [names, {"type": "object", "additionalProperties": {"type": "string"}}]
    if key == "on" and "anyOf" in one:
        one["anyOf"] = [
            names,
            {"type": "object", "additionalProperties": {"type": "string"}},
            *([{"type": "string"}] if owner.get("properties", {}).get("reference") else []),
        ]
    if key == "row_filter" and "RowFilterUse" in str(one):
        meaning = one.get("description")
        one.clear()
        one["description"] = meaning
        one["anyOf"] = [{"type": "string"}, {"$ref": "#/$defs/RowFilterUse"}]
    if key == "source" and "TableSource" in str(one):
        meaning = one.get("description")
        one.clear()
        one["description"] = meaning
        one["anyOf"] = [{"type": "string"}, {"$ref": "#/$defs/TableSource"}]
