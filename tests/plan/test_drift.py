"""What is said of files whose columns are others than before."""

from __future__ import annotations

import pytest

from framework.plan.drift import drift
from framework.spec.project import Project, read_project
from framework.spec.table import FileTable
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def depots() -> FileTable:
    """Return a table of files; its column `manager` is optional."""
    project: Project = read_project(ROOT / "tests/model/project")
    table = project.tables["bronze_depots"]
    assert isinstance(table, FileTable)
    return table


FULL = ("code", "name", "region", "since", "manager")


@pytest.mark.parametrize(
    ("header", "before", "told"),
    [
        (FULL, (), []),
        (FULL, FULL, []),
        (FULL[:4], (), []),
        (FULL[:4], FULL[:4], []),
        (FULL[:4], FULL, ["the column manager is missing, and null"]),
        (
            (*FULL[:4], "managers"),
            FULL,
            [
                "the column managers is not in the contract: kept in _rescued",
                "the column manager is missing, and null; it may be called managers now",
            ],
        ),
        ((*FULL, "a", ""), (), ["the columns a, (no name) are not in the contract: kept in _rescued"]),
        (FULL, (*FULL, "a"), ["the column a is gone since the file before"]),
        (("name", "code", *FULL[2:]), FULL, ["its columns come in another order than in the file before; they are told by their names"]),
        (("CODE", *FULL[1:]), FULL, []),
    ],
)
def test_what_is_said(depots: FileTable, header: tuple[str, ...], before: tuple[str, ...], told: list[str]) -> None:
    assert list(drift(depots, header, before)) == told


def test_columns_that_are_ignored_are_said_to_be(depots: FileTable) -> None:
    ignoring = depots.model_copy(update={"files": depots.files.model_copy(update={"unknown_columns": "ignore"})})
    assert list(drift(ignoring, (*FULL, "a"))) == ["the column a is not in the contract: left out"]
