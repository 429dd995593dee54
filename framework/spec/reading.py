"""How do the files of a project become models: metadata, reference data, and contracts with everything filled in?"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from framework.spec.access import RowFilter
from framework.spec.alerts import Mail, Webhook
from framework.spec.cache import below
from framework.spec.codes import CODES
from framework.spec.load import Document, Loc, loaded
from framework.spec.metadata import Catalog, Folders, Layer, Metadata, PiiClass, Principal, Reference, read_reference
from framework.spec.openlineage import EventFile, EventServer
from framework.spec.problem import ContractError, Place, Problem, did_you_mean
from framework.spec.table import FileTable, GroupedTable, MappedTable, QueryTable, Table, kind_of
from framework.spec.translate import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SECTIONS = ("files", "dedupe")
"""Keys whose defaults hold only where a contract has the key itself."""

INHERITED = ("source", "sources", "joins", "text", "columns", "checks")
"""What `like` takes from another contract."""

_TABLE_LINE = re.compile(r"^table:[ \t]*[\"']?([^\s#\"']+)", re.MULTILINE)
_READ = {".yml", ".yaml"}
_PASSED_OVER = {".md"}
_KINDS = (FileTable, MappedTable, GroupedTable, QueryTable)
_MODELS: dict[str, type[BaseModel]] = {"layers": Layer, "principals": Principal, "pii": PiiClass}
_OPTIONAL_MODELS: dict[str, type[BaseModel]] = {"row_filters": RowFilter}

_MODELS_BY_KIND: dict[str, dict[str, type[BaseModel]]] = {
    "environments": {"catalog": Catalog, "": Folders},
    "alerts": {"mail": Mail, "": Webhook},
    "openlineage": {"file": EventFile, "": EventServer},
}
_OPTIONAL = ("alerts", "openlineage", "row_filters")
"""Metadata that nobody needs who wants none."""

Files = dict[str, "bytes | None"]


@dataclass(frozen=True)
class Contract:
    """One table's contract with everything resolved, and where each default came from."""

    table: Table
    document: Document
    resolved: dict[str, Any]
    origins: dict[str, str] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    """Columns of which something could not be read, in lower case; set only where the rest is looked at all the same."""
    is_whole: bool = True


@dataclass(frozen=True)
class ReadMetadata:
    """Metadata, and the file with the layers' defaults, whose places contracts point to."""

    metadata: Metadata
    layers: Document


def unread_files(root: Path, files: Files) -> list[Problem]:
    """Return a problem for each file among the contracts whose name says that it is not read."""
    problems = []
    for name in below(files, "contracts"):
        path = PurePosixPath(name)
        if path.suffix in _READ | _PASSED_OVER or path.name.startswith("."):
            continue
        what = f'A file named "{path.name}" is not read.'
        fix = f'name it "{path.name.split(".")[0]}.yml" if it is a contract, or move it elsewhere.'
        problems.append(Problem(Place(root / name), "wrong-extension", what, CODES["wrong-extension"].why, fix))
    return problems


def contract_files(files: Files) -> list[str]:
    """Return the paths of the contracts."""
    return [
        name for name in below(files, "contracts") if PurePosixPath(name).suffix in _READ and not PurePosixPath(name).name.startswith(".")
    ]


def table_named_in(content: bytes | None) -> str | None:
    """Return the table that a file means to describe, even where it cannot be read as YAML."""
    found = _TABLE_LINE.search((content or b"").decode("utf-8", errors="replace"))
    return found[1] if found else None


def document_of(root: Path, name: str, content: bytes | None, problems: list[Problem]) -> Document | None:
    """Return a file that holds a mapping; notes why where it does not."""
    path = root / name
    if content is None:
        what = "The file is missing." if not path.exists() else "The file cannot be read."
        problems.append(Problem(Place(path), "unreadable-file", what, "a project needs it.", "write it, and check that it may be read."))
        return None
    try:
        document = loaded(path, content)
    except ContractError as error:
        problems += error.problems
        return None
    if not isinstance(document.value, dict):
        problems.append(
            Problem(
                Place(path),
                "invalid-value",
                "The file does not hold a mapping of keys to values.",
                "a contract begins with keys such as `table:` and `layer:`.",
                "write the keys at the left margin; docs/contracts.md shows examples.",
            )
        )
        return None
    return document


def read_metadata(root: Path, files: Files, problems: list[Problem]) -> ReadMetadata | None:
    """Return environments, layers, principals and PII classes; None where a problem was noted."""
    found: dict[str, dict[str, Any]] = {}
    documents: dict[str, Document] = {}
    before = len(problems)
    for part in ("environments", *_MODELS, *_OPTIONAL):
        if part in _OPTIONAL and f"metadata/{part}.yml" not in files:
            found[part] = {}
            continue
        document = document_of(root, f"metadata/{part}.yml", files.get(f"metadata/{part}.yml"), problems)
        if document is None:
            continue
        found[part], documents[part] = {}, document
        for name, value in document.value.items():
            kind = str(value.get("kind")) if isinstance(value, dict) else ""
            model = _MODELS.get(part) or _OPTIONAL_MODELS.get(part) or _MODELS_BY_KIND[part].get(kind) or _MODELS_BY_KIND[part][""]
            try:
                found[part][name] = model.model_validate(value)
            except ValidationError as error:
                problems += problems_of(error, document, model, (name,))
    if len(problems) == before:
        problems += _misfits(found, documents)
    if len(problems) > before:
        return None
    return ReadMetadata(Metadata.model_construct(None, **found), documents["layers"])


def _misfits(found: Mapping[str, Mapping[str, Any]], documents: Mapping[str, Document]) -> list[Problem]:
    """Return clearances for unknown classes, alerts for unknown owners, and defaults for keys that no contract has."""
    clearances = _unknown(found["principals"], "clearance", found["pii"], documents.get("principals"), "unknown-pii-class")
    owners = _unknown(found["alerts"], "owners", found["principals"], documents.get("alerts"), "unknown-principal")
    sees = _unknown(found["row_filters"], "sees", found["principals"], documents.get("row_filters"), "unknown-principal")
    return [*clearances, *owners, *sees, *_unfit_defaults(found["layers"], documents["layers"])]


_SAID = {"unknown-pii-class": 'There is no PII class "{}".', "unknown-principal": 'metadata/principals.yml has no principal "{}".'}


def _unknown(named: Mapping[str, Any], attribute: str, known: Mapping[str, Any], document: Document | None, code: str) -> Iterator[Problem]:
    """Yield the names in an attribute that are not known."""
    for name, one in named.items():
        for i, used in enumerate(getattr(one, attribute)):
            if used not in known and document is not None:
                place = (name, attribute, used if isinstance(getattr(one, attribute), dict) else i)
                where = document.key(place) if place[-1] == used else document.place(place)
                yield Problem(where, code, _SAID[code].format(used), CODES[code].why, did_you_mean(used, known))


def _unfit_defaults(layers: Mapping[str, Layer], document: Document) -> Iterator[Problem]:
    keys = {key for kind in _KINDS for key in kind.model_fields} - {"table", "layer", "columns"}
    for name, layer in layers.items():
        for key, value in layer.defaults.items():
            place = document.key((name, "defaults", key))
            if key not in keys:
                yield Problem(place, "unknown-key", f'No contract has a key "{key}".', CODES["unknown-key"].why, did_you_mean(key, keys))
            elif key in SECTIONS and not isinstance(value, dict):
                what = f"`{key}`: a mapping of defaults is expected."
                yield Problem(place, "invalid-value", what, CODES["invalid-value"].why, f"write `{key}: {{…}}`.")


def read_references(root: Path, files: Files, problems: list[Problem]) -> dict[str, Reference]:
    """Return the reference data by name."""
    found = {}
    for name in below(files, "metadata/reference"):
        path = PurePosixPath(name)
        if path.suffix != ".csv" or str(path.parent) != "metadata/reference":
            continue
        try:
            found[path.stem] = read_reference(root / name)
        except (OSError, ValueError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
            what = f"Reference data cannot be read: {reason}."
            problems.append(Problem(Place(root / name), "unreadable-file", what, "lookups need it.", "mend the CSV file."))
    return found


def read_contract(document: Document, others: Mapping[str, Document], read: ReadMetadata, problems: list[Problem]) -> Contract | None:
    """Return a contract with everything filled in; what of it could not be read is noted, and left out.

    None where too little is left.
    """
    problems += _nothing_said(document, read)
    resolved, origins, places = _resolved(document, others, read, problems)
    document = Document(document.path, resolved, document.keys | places[0], document.values | places[1], document.text)
    model = kind_of(resolved)
    try:
        return Contract(model.model_validate(resolved), document, resolved, origins)
    except ValidationError as error:
        problems += problems_of(error, document, model)
        return _what_is_left(error, model, resolved, document, origins)


def _nothing_said(document: Document, read: ReadMetadata) -> Iterator[Problem]:
    """Yield a problem for each key without a value, but for those that switch a layer's default off."""
    layer = read.metadata.layers.get(str(document.value.get("layer")))
    for loc in document.nothing:
        is_default = len(loc) == 1 and layer is not None and loc[0] in layer.defaults and loc[0] not in SECTIONS
        is_unknown = len(loc) == 1 and not any(loc[0] in kind.model_fields for kind in _KINDS)
        if is_default or is_unknown or isinstance(loc[-1], int) or loc[-1] == "default":
            continue
        what = f"`{loc[-1]}` has no value."
        fix = "write one, or delete the key; text that ends in a colon is put in quotes."
        yield Problem(document.key(loc), "invalid-value", what, "a key that says nothing was forgotten, or means more than it says.", fix)


_MOST_ROUNDS = 4


def _what_is_left(
    error: ValidationError, model: type[Table], resolved: dict[str, Any], document: Document, origins: dict[str, str]
) -> Contract | None:
    """Return the contract without what could not be read, so that the rest is looked at in the same run."""
    left, broken = dict(resolved), set()
    for _ in range(_MOST_ROUNDS):
        for detail in error.errors():
            key, *below = detail["loc"] or ("",)
            if key == "columns" and below and isinstance(below[0], int) and isinstance(left.get("columns"), list):
                column = left["columns"][below[0]]
                name = column.get("name") if isinstance(column, dict) else None
                name = name if isinstance(name, str) and name else f"_broken_{below[0]}"
                place = {"name": name} if model is FileTable else {"name": name, "type": "string"}
                if model is MappedTable:
                    place["expr"] = "null"
                if model is GroupedTable and isinstance(column, dict) and "measure" in column:
                    place["measure"] = "max(null)"
                columns = list(left["columns"])
                columns[below[0]] = place
                left["columns"] = columns
                broken.add(name.lower())
            elif key == "files":
                left["files"] = {"pattern": ["_broken"]}
            else:
                left.pop(str(key), None)
        try:
            table = model.model_validate(left)
        except ValidationError as another:
            error = another
        else:
            return Contract(table, document, left, origins, frozenset(broken), is_whole=False)
    return None


Places = tuple[dict[Loc, Place], dict[Loc, Place]]


def _resolved(
    document: Document, others: Mapping[str, Document], read: ReadMetadata, problems: list[Problem]
) -> tuple[dict[str, Any], dict[str, str], Places]:
    """Return the contract with `like` and the layer's defaults filled in, where each came from, and where it stands."""
    resolved = dict(document.value)
    origins: dict[str, str] = {}
    places: Places = ({}, {})
    _fill_in_like(resolved, origins, places, document, others, problems)
    layers = read.metadata.layers
    # With a layer that does not exist, the nearest one's defaults keep the fault from being told as keys that are missing.
    said = str(resolved.get("layer"))
    layer = said if said in layers else next(iter(get_close_matches(said, layers, n=1, cutoff=0)), "")
    fields = set(kind_of(resolved).model_fields)
    for key, value in (layers[layer].defaults if layer else {}).items():
        for path, source, one in _default(key, value, resolved, fields):
            _put(resolved, path, one)
            origins[".".join(map(str, path))] = _said(read.layers, (layer, "defaults", *source), layer)
            _copy_places(read.layers, (layer, "defaults", *source), path, places)
    return resolved, origins, places


def _fill_in_like(  # noqa: PLR0913, PLR0917 - what is filled, and from where
    resolved: dict[str, Any],
    origins: dict[str, str],
    places: Places,
    document: Document,
    others: Mapping[str, Document],
    problems: list[Problem],
) -> None:
    like = resolved.pop("like", None)
    if like is None:
        return
    other = others.get(like) if isinstance(like, str) else None
    if other is None or "like" in other.value or other.path == document.path:
        known = [name for name, one in others.items() if "like" not in one.value and one.path != document.path]
        what = f'`like` names "{like}"; no contract that is written out in full describes it.'
        why = "`like` takes source, joins, columns and checks from another contract."
        problems.append(Problem(document.place(("like",)), "unknown-table", what, why, did_you_mean(like, known)))
        return
    for key in INHERITED:
        if key in other.value and key not in resolved:
            resolved[key] = other.value[key]
            origins[key] = f"like {like}, {other.path.name}:{other.key((key,)).line}"
            _copy_places(other, (key,), (key,), places)


def _default(key: str, value: Any, resolved: dict[str, Any], fields: set[str]) -> Iterator[tuple[Loc, Loc, Any]]:
    """Yield what a layer's default for a key adds to a contract: where to, where from, and the value."""
    there = resolved.get(key)
    if key in SECTIONS:
        if isinstance(there, dict):
            # A table of exact repeats has no key that could be filled in.
            only = {"tie_break"} if "exact_repeats" in there else set(value)
            yield from (((key, k), (key, k), v) for k, v in value.items() if k not in there and k in only)
    elif key == "accepted" and isinstance(there, list):
        # What a layer accepts is accepted beside what a contract does.
        yield from (((key, len(there) + i), (key, i), one) for i, one in enumerate(value))
    elif key not in resolved and key in fields:
        yield (key,), (key,), value


def _put(resolved: dict[str, Any], path: Loc, value: Any) -> None:
    """Set a value in a contract, without changing what was read from the file."""
    key, *below = path
    if not below:
        resolved[str(key)] = value
    elif isinstance(resolved[str(key)], list):
        resolved[str(key)] = [*resolved[str(key)], value]
    else:
        resolved[str(key)] = resolved[str(key)] | {below[0]: value}


def _said(layers: Document, loc: Loc, layer: str) -> str:
    return f"metadata/{layers.path.name}:{layers.key(loc).line}, defaults of {layer}"


def _copy_places(document: Document, source: Loc, target: Loc, places: Places) -> None:
    """Let what was filled in keep the place at which it is written."""
    depth = len(source)
    for given, kept in zip((document.keys, document.values), places, strict=True):
        kept |= {(*target, *loc[depth:]): place for loc, place in given.items() if loc[:depth] == source}
