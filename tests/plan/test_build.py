"""Which steps follow from what is there; no storage, no Spark."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from framework.plan.build import build_plan, selected_tables
from framework.plan.steps import (
    Built,
    CloseLoad,
    CreateTable,
    DeliveredFile,
    FinishLoad,
    KeepTable,
    Load,
    LoadFiles,
    Observed,
    OpenLoad,
    RefreshTable,
    RefusedFile,
    RefuseFile,
    TakeBackLoad,
)
from framework.spec.problem import CannotRunError
from framework.spec.project import Project, read_project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framework.plan.steps import Step

NOTHING = Observed({}, {}, {}, {}, {})
FILE = DeliveredFile("loans.tsv", "/landing/loans.tsv", 10, 1)


@pytest.fixture(scope="module")
def library() -> Project:
    """Return the library's contracts."""
    return read_project(ROOT / "tests/library")


def settled(project: Project) -> Observed:
    """Return what is there when all is up to date: every table at version 3."""
    versions = dict.fromkeys(project.contracts, 3)
    built = {
        name: Built(project.contract_hash(name), {one: 3 for one in table.inputs if one in versions}, 3)
        for name, table in project.tables.items()
    }
    return Observed(versions, built, {}, {}, {})


def steps(project: Project, observed: Observed) -> Mapping[str, Sequence[Step]]:
    """Return the steps of a run of all layers."""
    return build_plan(project, selected_tables(project, "all"), observed).steps


def test_on_an_empty_place_everything_is_made(library: Project) -> None:
    found = steps(library, replace(NOTHING, new_files={"bronze_loans": (FILE,)}))
    assert [type(step) for step in found["bronze_loans"]] == [LoadFiles]
    assert [type(step) for step in found["bronze_members"]] == [CreateTable]
    assert {type(step) for name in ("silver_loans", "silver_members", "gold_loans") for step in found[name]} == {RefreshTable}


def test_a_table_comes_after_everything_that_it_reads(library: Project) -> None:
    order = selected_tables(library, "all")
    for name, table in library.tables.items():
        for read in table.inputs:
            assert read not in order or order.index(read) < order.index(name)


def test_with_nothing_new_the_plan_is_empty(library: Project) -> None:
    plan = build_plan(library, selected_tables(library, "all"), settled(library))
    assert plan.is_empty
    assert {type(step) for found in plan.steps.values() for step in found} == {KeepTable}


def test_only_what_reads_a_new_file_is_refreshed(library: Project) -> None:
    found = steps(library, replace(settled(library), new_files={"bronze_loans": (FILE,)}))
    assert {name: type(one[0]) for name, one in found.items()} == {
        "bronze_loans": LoadFiles,
        "bronze_members": KeepTable,
        "silver_members": KeepTable,
        "silver_loans": RefreshTable,
        "gold_loans": RefreshTable,
    }
    assert found["silver_loans"][0].because == "bronze_loans changes in this run"


def test_a_changed_contract_or_version_is_a_reason(library: Project) -> None:
    there = settled(library)
    other = replace(there.built["gold_loans"], contract_hash="another")
    assert steps(library, replace(there, built=there.built | {"gold_loans": other}))["gold_loans"][0].because == "its contract changed"
    moved = replace(there, versions=there.versions | {"silver_loans": 4})
    found = steps(library, moved)
    assert found["silver_loans"][0].because == "it was changed by someone else"
    assert found["gold_loans"][0].because == "silver_loans changes in this run"


def test_a_refused_file_stands_beside_the_others(library: Project) -> None:
    refused = RefusedFile("loans_2.tsv", "it is empty.", "deliver it again.")
    found = steps(library, replace(settled(library), new_files={"bronze_loans": (FILE,)}, refused_files={"bronze_loans": (refused,)}))
    assert [type(step) for step in found["bronze_loans"]] == [RefuseFile, LoadFiles]
    alone = steps(library, replace(settled(library), refused_files={"bronze_loans": (refused,)}))
    assert [type(step) for step in alone["bronze_loans"]] == [RefuseFile, KeepTable]
    assert type(alone["silver_loans"][0]) is KeepTable


@pytest.mark.parametrize(
    ("committed", "as_listed", "step"),
    [(True, True, CloseLoad), (True, False, CloseLoad), (False, True, FinishLoad), (False, False, TakeBackLoad)],
)
def test_an_open_load_is_ended_before_new_files_are_loaded(library: Project, *, committed: bool, as_listed: bool, step: type) -> None:
    open_ = OpenLoad(Load(2, "id", "2024-01-01T00:00:00+00:00", (FILE,), 3), committed, as_listed)
    found = steps(library, replace(settled(library), open_loads={"bronze_loans": open_}, new_files={"bronze_loans": (FILE,)}))
    assert [type(one) for one in found["bronze_loans"]] == [step, LoadFiles]


@pytest.mark.parametrize(
    ("before", "because", "destructive"),
    [
        ({}, "its contract changed", False),
        (
            {"town": "string"},
            "its contract changed: period_type comes, period_start comes, loans comes, copies comes, days out comes",
            False,
        ),
        ({"loans": "int"}, "loans widens from int to bigint", False),
        ({"loans": "string"}, "loans becomes bigint, and was string", True),
        ({"days out": "decimal(9,3)"}, "days out becomes decimal(6,1), and was decimal(9,3)", True),
        ({"gone": "date"}, "gone goes", True),
    ],
)
def test_what_a_changed_contract_does_to_the_columns_is_told(
    library: Project, before: dict[str, str], because: str, *, destructive: bool
) -> None:
    observed = settled(library)
    built = {**observed.built, "gold_loans": replace(observed.built["gold_loans"], contract_hash="another", columns=before)}
    (step,) = steps(library, replace(observed, built=built))["gold_loans"]
    assert isinstance(step, RefreshTable)
    assert because in step.because
    assert step.is_destructive is destructive


def test_unknown_layers_and_tables_are_told(library: Project) -> None:
    with pytest.raises(CannotRunError, match='did you mean "silver"'):
        selected_tables(library, "slver")
    with pytest.raises(CannotRunError, match='did you mean "gold_loans"'):
        selected_tables(library, "all", ["gold_loan"])
