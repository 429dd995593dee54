"""Which contracts and metadata make up a project, and do they fit together?"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from framework.spec.load import Document, load
from framework.spec.metadata import Catalog, Folders, Layer, Metadata, PiiClass, Principal, Reference, read_reference
from framework.spec.problem import CannotRunError, ContractError, Place, Problem, did_you_mean
from framework.spec.references import problems_between
from framework.spec.table import Table, kind_of
from framework.spec.translate import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PARTS = ("contracts", "metadata")
"""The folders that make a folder a project."""

SECTIONS = ("files", "dedupe")
"""Keys whose defaults hold only where a contract has the key itself."""

_INHERITED = ("source", "sources", "joins", "text", "columns", "checks")
"""What `like` takes from another contract."""


_TABLE_LINE = re.compile(r"^table:[ \t]*([^\s#]+)", re.MULTILINE)


@dataclass(frozen=True)
class Contract:
    """One table's contract with everything resolved, and where each default came from."""

    table: Table
    document: Document
    resolved: dict[str, Any]
    origins: dict[str, str] = field(default_factory=dict)

    def place(self, *loc: int | str) -> Place:
        """Return where something stands in the file."""
        return self.document.place(loc)


@dataclass(frozen=True)
class Project:
    """All contracts and metadata under one folder."""

    root: Path
    metadata: Metadata
    contracts: dict[str, Contract]
    references: dict[str, Reference]

    @property
    def tables(self) -> dict[str, Table]:
        """Return the tables by name."""
        return {name: contract.table for name, contract in self.contracts.items()}

    @property
    def layers(self) -> tuple[str, ...]:
        """Return the layers from the first to the last."""
        return tuple(self.metadata.layers)

    def contract_hash(self, name: str) -> str:
        """Return a hash of what a table's rows depend on: its resolved contract and the reference data it reads."""
        contract = self.contracts[name]
        meaning = {k: v for k, v in contract.resolved.items() if k not in {"description", "owner", "grants", "quality", "retention"}}
        digests = [self.references[i].digest for i in sorted(contract.table.inputs) if i in self.references]
        return hashlib.sha256(json.dumps([meaning, digests], sort_keys=True, default=str).encode()).hexdigest()[:16]

    def environment(self, name: str) -> Folders | Catalog:
        """Return an environment by name.

        Raises:
            CannotRunError: metadata/environments.yml has no such environment.
        """
        known = self.metadata.environments
        if name not in known:
            raise CannotRunError(f'There is no environment "{name}" in metadata/environments.yml.', did_you_mean(name, known))
        return known[name]


def find_root(start: Path) -> Path:
    """Return the nearest folder from `start` upwards that holds contracts and metadata; `start` where none does."""
    folders = (start, *start.absolute().parents)
    return next((folder for folder in folders if all((folder / part).is_dir() for part in PARTS)), start)


def read_project(root: Path) -> Project:
    """Return the project under `root`.

    Raises:
        CannotRunError: the folder holds no contracts.
        ContractError: something is wrong in contracts or metadata; carries all problems.
    """
    for needed in PARTS:
        if not (root / needed).is_dir():
            raise CannotRunError(
                f'There is no folder "{needed}" in {root.absolute()}.', "run the command in a project's folder, or name it with --project."
            )
    problems: list[Problem] = []
    metadata = _read_metadata(root / "metadata", problems)
    references = _read_references(root / "metadata" / "reference", problems)
    paths = sorted((root / "contracts").rglob("*.y*ml"))
    documents = _read_documents(paths, problems)
    if metadata is None:
        raise ContractError(problems)
    contracts = _read_contracts(documents, metadata, problems)
    problems += problems_between(
        {name: (contract.table, contract.document) for name, contract in contracts.items()},
        references,
        metadata,
        broken=_declared_tables(paths) - contracts.keys(),
    )
    if problems:
        raise ContractError(problems)
    return Project(root, metadata, contracts, references)


def _read_metadata(folder: Path, problems: list[Problem]) -> Metadata | None:
    found: dict[str, dict[str, Any]] = {}
    before = len(problems)
    models: dict[str, type[BaseModel]] = {"layers": Layer, "principals": Principal, "pii": PiiClass}
    for part in ("environments", *models):
        document = _document(folder / f"{part}.yml", problems)
        if document is None:
            continue
        found[part] = {}
        for name, value in document.value.items():
            model = models.get(part) or _environment_model(value)
            try:
                found[part][name] = model.model_validate(value)
            except ValidationError as error:
                problems += problems_of(error, document, model, (name,))
    return Metadata.model_construct(None, **found) if len(problems) == before else None


def _environment_model(value: object) -> type[BaseModel]:
    return Catalog if isinstance(value, dict) and value.get("kind") == "catalog" else Folders


def _read_references(folder: Path, problems: list[Problem]) -> dict[str, Reference]:
    found = {}
    for path in sorted(folder.glob("*.csv")):
        try:
            found[path.stem] = read_reference(path)
        except (OSError, ValueError) as error:  # noqa: PERF203 - the fault of every file is wanted
            problems.append(
                Problem(
                    Place(path), "unreadable-file", f"Reference data cannot be read: {error}.", "lookups need it.", "mend the CSV file."
                )
            )
    return found


def _document(path: Path, problems: list[Problem]) -> Document | None:
    try:
        document = load(path)
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
                "write the keys at the left margin; see docs/architecture.md for an example.",
            )
        )
        return None
    return document


def _read_documents(paths: Iterable[Path], problems: list[Problem]) -> list[Document]:
    documents = (_document(path, problems) for path in paths)
    return [document for document in documents if document is not None]


def _declared_tables(paths: list[Path]) -> set[str]:
    """Return the tables that files mean to describe, the unreadable ones too, so that one fault is not told twice."""
    texts = (path.read_text("utf-8", errors="replace") for path in paths)
    return {found[1] for text in texts if (found := _TABLE_LINE.search(text))}


def _read_contracts(documents: list[Document], metadata: Metadata, problems: list[Problem]) -> dict[str, Contract]:
    by_name = {document.value.get("table"): document for document in documents}
    contracts: dict[str, Contract] = {}
    for document in documents:
        resolved, origins = _resolved(document, by_name, metadata, problems)
        model = kind_of(resolved)
        try:
            table = model.model_validate(resolved)
        except ValidationError as error:
            problems += problems_of(error, document, model)
            continue
        if table.table in contracts:
            first = contracts[table.table].document.path
            problems.append(
                Problem(
                    document.place(("table",)),
                    "duplicate-table",
                    f'The table "{table.table}" is described in {first} too.',
                    "one contract describes one table.",
                    "rename one of them, or delete the one that is not wanted.",
                )
            )
            continue
        contracts[table.table] = Contract(table, document, resolved, origins)
    return contracts


def _resolved(
    document: Document, by_name: dict[Any, Document], metadata: Metadata, problems: list[Problem]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the contract with `like` and the layer's defaults filled in, and where each of those came from."""
    resolved = dict(document.value)
    origins: dict[str, str] = {}
    like = resolved.pop("like", None)
    if like is not None:
        other = by_name.get(like)
        if other is None or "like" in other.value:
            problems.append(
                Problem(
                    document.place(("like",)),
                    "unknown-table",
                    f'`like` names "{like}"; no contract that is written out in full describes it.',
                    "`like` takes source, joins, columns and checks from another contract.",
                    did_you_mean(like, (str(name) for name in by_name)),
                )
            )
        else:
            for key in _INHERITED:
                if key in other.value and key not in resolved:
                    resolved[key] = other.value[key]
                    origins[key] = f"like {like}"
    layer = metadata.layers.get(str(resolved.get("layer")))
    fields = set(kind_of(resolved).model_fields)
    for key, value in (layer.defaults if layer else {}).items():
        origin = f"metadata/layers.yml, {resolved['layer']}"
        if key in SECTIONS:
            if isinstance(resolved.get(key), dict):
                added = {k: v for k, v in value.items() if k not in resolved[key]}
                resolved[key] = resolved[key] | added
                origins |= {f"{key}.{k}": origin for k in added}
        elif key not in resolved and key in fields:
            resolved[key] = value
            origins[key] = origin
    return resolved, origins
