"""What did a look at a project find?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from framework.spec.cache import Kept, project_files, whole
from framework.spec.problem import Acceptance, CannotRunError, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PARTS = ("contracts", "metadata")
"""The folders that make a folder a project."""


def find_root(start: Path) -> Path:
    """Return the nearest folder from `start` upwards that holds contracts and metadata; `start` where none does."""
    folders = (start, *start.absolute().parents)
    return next((folder for folder in folders if all((folder / part).is_dir() for part in PARTS)), start)


def check_root(root: Path) -> None:
    """Check that a folder holds a project.

    Raises:
        CannotRunError: it holds no contracts or no metadata.
    """
    for needed in PARTS:
        if not (root / needed).is_dir():
            raise CannotRunError(
                f'There is no folder "{needed}" in {root.absolute()}.', "run the command in a project's folder, or name it with --project."
            )


@dataclass(frozen=True)
class Findings:
    """All problems of a project, the warnings that it accepts, and how many contracts each layer has."""

    problems: tuple[Problem, ...] = ()
    accepted: tuple[Acceptance, ...] = ()
    layers: Mapping[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the problems that keep the project from running."""
        return tuple(problem for problem in self.problems if not problem.is_warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Return the problems that do not."""
        return tuple(problem for problem in self.problems if problem.is_warning)

    def only(self, paths: Iterable[Path]) -> Findings:
        """Return what was found in some files or folders."""
        wanted = [path.absolute() for path in paths]
        if not wanted:
            return self

        def is_wanted(problem: Problem) -> bool:
            where = problem.where.path.absolute()
            return any(where == path or path in where.parents for path in wanted)

        return Findings(tuple(filter(is_wanted, self.problems)), tuple(one for one in self.accepted if is_wanted(one.problem)), self.layers)

    def as_record(self, root: Path) -> dict[str, Any]:
        """Return the findings as plain lists and mappings, places below `root`."""
        return {
            "problems": [problem_as_list(problem, root) for problem in self.problems],
            "accepted": [[*problem_as_list(one.problem, root), one.reason] for one in self.accepted],
            "layers": dict(self.layers),
        }


def findings_from(record: Mapping[str, Any], root: Path) -> Findings:
    """Return the findings that `as_record` wrote."""
    return Findings(
        tuple(problem_from(one, root) for one in record["problems"]),
        tuple(Acceptance(problem_from(one[:-1], root), one[-1]) for one in record["accepted"]),
        record["layers"],
    )


def problem_as_list(problem: Problem, root: Path) -> list[Any]:
    """Return a problem as a plain list, its place below `root`."""
    where = problem.where
    path = str(where.path.relative_to(root)) if where.path.is_relative_to(root) else str(where.path)
    return [
        path,
        where.line,
        where.column,
        where.length,
        problem.code,
        problem.what,
        problem.why,
        problem.fix,
        problem.table,
        problem.column,
    ]


def problem_from(one: Iterable[Any], root: Path) -> Problem:
    """Return the problem that `problem_as_list` wrote."""
    path, line, column, length, *rest = one
    return Problem(Place(root / path, line, column, length), *rest)


def validated(root: Path, *, use_cache: bool = True) -> Findings:
    """Return what is wrong in the project under `root`; asks the cache first, and needs nothing else where no file changed.

    Raises:
        CannotRunError: the folder holds no project.
    """
    check_root(root)
    files = project_files(root)
    kept = Kept(root, is_wanted=use_cache)
    seen = whole(files)
    if kept.record.get("whole") == seen:
        return findings_from(kept.record["findings"], root)
    from framework.spec.project import examined_project  # noqa: PLC0415 - what reads YAML and SQL takes a third of a second to import

    examined = examined_project(root, files, kept.record.get("contracts") or {})
    kept.save({"whole": seen, "findings": examined.findings.as_record(root), "contracts": examined.kept})
    return examined.findings
