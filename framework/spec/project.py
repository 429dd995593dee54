"""Which contracts and metadata make up a project, and do they fit together?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from framework.spec.cache import digest, project_files
from framework.spec.examine.around import Around, outline_of
from framework.spec.examine.kinds import examined
from framework.spec.examine.quality import asked_of
from framework.spec.facts import Facts, Outline, Spot, facts_from, outline_from
from framework.spec.findings import Findings, check_root, find_root, problem_as_list, problem_from
from framework.spec.lineage import Lineage, judged
from framework.spec.problem import CannotRunError, ContractError, Problem, did_you_mean
from framework.spec.reading import (
    Contract,
    ReadMetadata,
    contract_files,
    document_of,
    read_contract,
    read_metadata,
    read_references,
    table_named_in,
    unread_files,
)
from framework.spec.table import FileTable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from framework.spec.load import Document
    from framework.spec.metadata import Catalog, Folders, Metadata, Reference
    from framework.spec.reading import Files
    from framework.spec.table import Table

__all__ = ["Contract", "Project", "examined_project", "find_root", "read_project"]

_SAYS_NOTHING_OF_ROWS = {
    "description",
    "owner",
    "grants",
    "quality",
    "retention",
    "cluster_by",
    "accepted",
    "quarantine",
    "pii",
    "declassified",
    "mask",
    "masked_for",
    "row_filter",
    "refresh",
}


@dataclass(frozen=True)
class Project:
    """All contracts and metadata under one folder."""

    root: Path
    metadata: Metadata
    contracts: dict[str, Contract]
    references: dict[str, Reference]
    facts: dict[str, Facts] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)

    @property
    def tables(self) -> dict[str, Table]:
        """Return the tables by name."""
        return {name: contract.table for name, contract in self.contracts.items()}

    @property
    def layers(self) -> tuple[str, ...]:
        """Return the layers from the first to the last."""
        return tuple(self.metadata.layers)

    @property
    def lineage(self) -> Lineage:
        """Return where each column comes from."""
        return Lineage(self.facts)

    def contract_hash(self, name: str) -> str:
        """Return a hash of what a table's rows depend on: its resolved contract and the reference data it reads."""
        contract = self.contracts[name]
        digests = [self.references[i].digest for i in sorted(contract.table.inputs) if i in self.references]
        return hashlib.sha256(json.dumps([_of_rows(contract.resolved), digests], sort_keys=True, default=str).encode()).hexdigest()[:16]

    def environment(self, name: str) -> Folders | Catalog:
        """Return an environment by name.

        Raises:
            CannotRunError: metadata/environments.yml has no such environment.
        """
        known = self.metadata.environments
        if name not in known:
            raise CannotRunError(f'There is no environment "{name}" in metadata/environments.yml.', did_you_mean(name, known))
        return known[name]


def _of_rows(contract: dict[str, Any]) -> dict[str, Any]:
    """Return a contract without what says nothing of its rows."""
    found = {key: value for key, value in contract.items() if key not in _SAYS_NOTHING_OF_ROWS}
    columns = [{key: value for key, value in column.items() if key not in _SAYS_NOTHING_OF_ROWS} for column in contract.get("columns", ())]
    return found | {"columns": columns}


def read_project(root: Path) -> Project:
    """Return the project under `root`.

    Raises:
        CannotRunError: the folder holds no contracts.
        ContractError: something is wrong in contracts or metadata; carries all errors and warnings.
    """
    check_root(root)
    found = examined_project(root, project_files(root), {}, models=True)
    if found.findings.errors or found.project is None:
        raise ContractError(found.findings.problems)
    return found.project


@dataclass(frozen=True)
class Examined:
    """What a look at a project brought, and what is worth keeping of it."""

    findings: Findings
    kept: dict[str, Any]
    project: Project | None
    """None where metadata is wrong, or some contracts were not read because nothing in them changed."""


@dataclass
class _File:
    """One contract's file on its way: what was kept of it, or what was read."""

    name: str
    table: str | None
    key: str
    kept: dict[str, Any] | None
    contract: Contract | None = None
    outline: Outline | None = None
    facts: Facts | None = None
    partial: Contract | None = None
    """What could be read of a contract that has faults; nobody else may lean on it."""
    problems: list[Problem] = field(default_factory=list)
    patterns: tuple[list[str], Spot] | None = None
    record: dict[str, Any] | None = None


def examined_project(root: Path, files: Files, kept: Mapping[str, Any], *, models: bool = False) -> Examined:
    """Return what is wrong in a project, and what follows from it; contracts in `kept` are looked at only where something changed."""
    problems = unread_files(root, files)
    read = read_metadata(root, files, problems)
    references = read_references(root, files, problems)
    names = contract_files(files)
    if read is None:
        for name in names:
            document_of(root, name, files[name], problems)
        return Examined(Findings(tuple(sorted(problems))), {}, None)
    about = digest(*(files[name] or b"" for name in sorted(files) if name.startswith("metadata/") and name.endswith(".yml")))
    reader = _Reader(root, files, read, about, kept, models=models)
    looked = [reader.read(name) for name in names]
    problems += [problem for one in looked for problem in one.problems]
    problems += _twice(looked)
    known = {one.outline.table: one for one in looked if one.outline}
    tried = {one.table for one in looked if one.table}
    around = Around(
        root,
        {name: one.outline for name, one in known.items() if one.outline},
        references,
        read.metadata,
        frozenset(tried - known.keys()),
    )
    for one in known.values():
        problems += _looked_at(one, around, reader)
    facts = {name: one.facts for name, one in known.items() if one.facts}
    layers = {layer: sum(one.layer == layer for one in facts.values()) for layer in read.metadata.layers}
    for one in looked:
        if one.partial and one.partial.table.table not in facts:
            left, faults = _left_over(one.partial, around)
            facts[left.table] = left
            problems += faults
    clearances = {name: principal.clearance for name, principal in read.metadata.principals.items()}
    masked = [name for name, one in read.metadata.pii.items() if one.mask]
    patterns = {name: one.patterns for name, one in known.items() if one.patterns}
    verdict = judged(facts, clearances, masked, patterns, problems, root)
    findings = Findings(verdict.problems, verdict.accepted, layers)
    project = None
    contracts = {name: one.contract for name, one in known.items() if one.contract}
    if len(contracts) == len(names):
        project = Project(root, read.metadata, contracts, references, facts, findings)
    records = {one.name: one.record for one in looked if one.record}
    return Examined(findings, records, project)


def _twice(looked: list[_File]) -> list[Problem]:
    """Return a problem for each contract whose table another one describes too; only the first is looked at further."""
    first: dict[str, _File] = {}
    problems = []
    for one in looked:
        if one.outline is None:
            continue
        name = one.outline.table
        other = first.setdefault(name.lower(), one)
        if other is not one:
            place = one.contract.document.place(("table",)) if one.contract else None
            if place:
                what = f'The table "{name}" is described in {other.name} too.'
                why = "one contract describes one table; names differ by more than their case."
                problems.append(
                    Problem(place, "duplicate-table", what, why, "rename one of them, or delete the one that is not wanted.", name)
                )
            one.outline = one.record = None
    return problems


class _Reader:
    """Reads contracts, or takes what was kept of them."""

    def __init__(  # noqa: PLR0913 - what a contract's meaning depends on
        self, root: Path, files: Files, read: ReadMetadata, about: str, kept: Mapping[str, Any], *, models: bool
    ) -> None:
        self.root, self.files, self.metadata, self.about, self.kept, self.models = root, files, read, about, kept, models
        self.by_table: dict[str, str] = {}
        for name in contract_files(files):
            table = table_named_in(files[name])
            if table:
                self.by_table.setdefault(table, name)
        self._documents: dict[str, Document | None] = {}
        self._problems: dict[str, list[Problem]] = {}

    def document(self, name: str) -> Document | None:
        """Return a file's document, read once."""
        if name not in self._documents:
            self._problems[name] = []
            self._documents[name] = document_of(self.root, name, self.files[name], self._problems[name])
        return self._documents[name]

    def read(self, name: str) -> _File:
        """Return one contract's file, read or as it was kept."""
        content = self.files[name] or b""
        like = self._like(content)
        key = digest(name, content, self.about, self.files.get(self.by_table.get(like, ""), b"") if like else "")
        kept = self.kept.get(name)
        found = _File(name, table_named_in(content), key, kept if kept and kept["key"] == key else None)
        twice = found.table is not None and self.by_table.get(found.table) != name
        if found.kept and not self.models and not twice:
            found.outline = outline_from(found.kept["outline"])
            found.patterns = _patterns_from(found.kept["patterns"])
            return found
        self._parse(found)
        return found

    def _like(self, content: bytes) -> str | None:
        if b"like:" not in content:
            return None
        line = next((line for line in content.splitlines() if line.startswith(b"like:")), b"")
        return line[5:].split(b"#")[0].strip().decode("utf-8", errors="replace") or None

    def _parse(self, found: _File) -> None:
        document = self.document(found.name)
        found.problems += self._problems[found.name]
        if document is None:
            return
        like = document.value.get("like")
        others: dict[str, Document] = {}
        if like is not None:
            others = {table: other for table, name in self.by_table.items() if (other := self.document(name)) is not None}
        contract = read_contract(document, others, self.metadata, found.problems)
        if contract is None or not contract.is_whole:
            found.partial = contract
            return
        found.contract = contract
        found.table = found.contract.table.table
        found.outline = outline_of(found.contract.table)
        if isinstance(found.contract.table, FileTable):
            place = found.contract.document.place(("files", "pattern"))
            spot = Spot(str(place.path.relative_to(self.root)), place.line, place.column, place.length)
            found.patterns = (list(found.contract.table.files.pattern), spot)

    def model(self, found: _File) -> Contract | None:
        """Return a contract whose file was not read before, because nothing in it changed."""
        if found.contract is None:
            self._parse(found)
        return found.contract


def _left_over(partial: Contract, around: Around) -> tuple[Facts, list[Problem]]:
    """Return what follows from what could be read of a contract, and what else is wrong in it."""
    outline = outline_of(partial.table)
    own = Around(around.root, {**around.outlines, outline.table: outline}, around.references, around.metadata, around.broken)
    return examined(partial, own)


def _patterns_from(kept: Any) -> tuple[list[str], Spot] | None:
    return (kept[0], Spot(*kept[1])) if kept else None


def _looked_at(one: _File, around: Around, reader: _Reader) -> list[Problem]:
    """Examine one contract, unless neither it nor what it reads has changed; return what is wrong in it."""
    if one.outline is None:
        return []
    inputs = one.kept["inputs"] if one.kept and not one.contract else None
    if inputs is None and one.contract:
        inputs = sorted({*one.contract.table.inputs, *_asked_of(one.contract.table)})
    around_key = digest(*(f"{name} {around.visible(name)} {_key_of(around, name)} {name in around.broken}" for name in inputs or ()))
    if one.kept and one.kept["around"] == around_key:
        one.facts = facts_from(one.kept["facts"])
        one.record = one.kept
        return [problem_from(problem, around.root) for problem in one.kept["warnings"]]
    contract = reader.model(one)
    if contract is None:
        return []
    one.facts, problems = examined(contract, around)
    if not one.problems and all(problem.is_warning for problem in problems):
        one.record = {
            "key": one.key,
            "outline": list(one.outline),
            "patterns": [one.patterns[0], list(one.patterns[1])] if one.patterns else None,
            "inputs": inputs,
            "around": around_key,
            "facts": one.facts.as_record(),
            "warnings": [problem_as_list(problem, around.root) for problem in problems],
        }
    return problems


def _key_of(around: Around, name: str) -> str:
    if name in around.outlines:
        outline = around.outlines[name]
        return f"{outline.layer} {outline.key} {outline.nonzero}"
    return around.references[name].digest if name in around.references else "unknown"


def _asked_of(table: Table) -> set[str]:
    """Return the tables that a table's quality checks read."""
    return {other for rule in table.quality for other in asked_of(rule)}
