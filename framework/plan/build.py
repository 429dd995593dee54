"""Which steps follow from the contracts and from what is there?"""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from framework.plan.schema_diff import changes
from framework.plan.steps import (
    AddColumns,
    CheckTable,
    CloseLoad,
    CreateTable,
    FinishLoad,
    KeepTable,
    LoadFiles,
    Observed,
    Plan,
    RefreshTable,
    RefuseFile,
    ReplayLoad,
    Step,
    TakeBackLoad,
)
from framework.spec.examine.around import outline_of
from framework.spec.problem import CannotRunError, did_you_mean
from framework.spec.quality import checks_key
from framework.spec.table import FileTable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from framework.plan.steps import Checked, OpenLoad
    from framework.spec.project import Project
    from framework.spec.table import Table

ALL_LAYERS = "all"


def selected_tables(project: Project, layer: str, tables: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the tables of a layer (or `all`), or those named, each after what it reads.

    Raises:
        CannotRunError: the layer or a table does not exist.
    """
    if layer != ALL_LAYERS and layer not in project.layers:
        raise CannotRunError(f'There is no layer "{layer}".', did_you_mean(layer, (*project.layers, ALL_LAYERS)))
    for name in tables:
        if name not in project.contracts:
            raise CannotRunError(f'There is no table "{name}".', did_you_mean(name, project.contracts))
    ordered = TopologicalSorter({name: inputs_of(project, name) for name in sorted(project.contracts)}).static_order()
    return tuple(
        name for name in ordered if (layer == ALL_LAYERS or project.tables[name].layer == layer) and (not tables or name in tables)
    )


def with_readers(project: Project, tables: Collection[str]) -> tuple[str, ...]:
    """Return tables and all that is made of them, each after what it reads."""
    found: list[str] = []
    for name in selected_tables(project, ALL_LAYERS):
        if name in tables or set(inputs_of(project, name)) & set(found):
            found.append(name)
    return tuple(found)


def inputs_of(project: Project, name: str) -> tuple[str, ...]:
    """Return the tables that a table reads, reference data left out."""
    return tuple(sorted(table for table in project.tables[name].inputs if table in project.contracts))


def build_plan(project: Project, selected: Sequence[str], observed: Observed, rebuild: Collection[str] = ()) -> Plan:
    """Return the plan for the selected tables; those in `rebuild` are made anew whatever is there."""
    steps: dict[str, tuple[Step, ...]] = {}
    for name in selected:
        if isinstance(project.tables[name], FileTable):
            steps[name] = _file_steps(project.tables[name], observed)
        else:
            step = _refresh_step(project, name, observed, steps)
            if name in rebuild:
                step = RefreshTable(name, "it is to be rebuilt", isinstance(step, RefreshTable) and step.is_destructive)
            steps[name] = (step,)
        steps[name] += _check_steps(project.tables[name], steps[name], observed)
    after = {name: frozenset(inputs_of(project, name)) & steps.keys() for name in selected}
    return Plan(steps, after)


def _file_steps(table: Table, observed: Observed) -> tuple[Step, ...]:
    name = table.table
    steps: list[Step] = [RefuseFile(name, file.why, file) for file in observed.refused_files.get(name, ())]
    if name in observed.open_loads:
        steps.append(_end_of(name, observed.open_loads[name]))
    steps += [ReplayLoad(name, "it is to be replayed", load) for load in observed.replayed.get(name, ())]
    files = observed.new_files.get(name, ())
    built = observed.built.get(name)
    added = tuple(column for column in table.column_names if built and built.columns and column not in built.columns)
    if files:
        steps.append(LoadFiles(name, f"{len(files)} new file{'s' if len(files) > 1 else ''}", files))
    elif name not in observed.versions and name not in observed.open_loads:
        steps.append(CreateTable(name, "the table does not exist, and nothing was delivered"))
    elif added and not any(isinstance(step, ReplayLoad | FinishLoad) for step in steps):
        steps.append(AddColumns(name, "the contract has them now; null in rows loaded before, `lakepact replay` reads these again", added))
    if all(isinstance(step, RefuseFile) for step in steps):
        steps.append(KeepTable(name, "nothing new was delivered"))
    return tuple(steps)


def is_current(checked: Checked | None, table: Table, version: int | None) -> bool:
    """Tell whether what the checks last said holds for a version of a table, and for its checks as they are now."""
    return checked is not None and checked.version == version and checked.checks == checks_key(table.quality)


def _check_steps(table: Table, steps: tuple[Step, ...], observed: Observed) -> tuple[Step, ...]:
    if not table.quality:
        return ()
    if not all(isinstance(step, KeepTable | RefuseFile) for step in steps):
        return (CheckTable(table.table, "it changes in this run"),)
    version = observed.versions.get(table.table)
    if version is None or is_current(observed.checked.get(table.table), table, version):
        return ()
    return (CheckTable(table.table, "it was not checked since it or its checks changed"),)


def _end_of(name: str, open_: OpenLoad) -> Step:
    """Return what becomes of a load that an earlier run left open."""
    if open_.is_committed:
        return CloseLoad(name, "an earlier run was stopped after it had loaded the rows", open_.load)
    if open_.is_as_listed:
        return FinishLoad(name, "an earlier run was stopped while it loaded", open_.load)
    return TakeBackLoad(name, "an earlier run was stopped while it loaded, and its files are others now", open_.load)


def _refresh_step(project: Project, name: str, observed: Observed, steps: dict[str, tuple[Step, ...]]) -> Step:
    reasons: list[str] = []
    is_destructive, is_whole = False, True
    built = observed.built.get(name)
    inputs = inputs_of(project, name)
    missing = [table for table in inputs if table not in observed.versions and table not in steps]
    if missing:
        reasons.append(f"{', '.join(missing)} not there yet")
    elif name not in observed.versions or built is None:
        reasons.append("not built yet")
    elif built.contract_hash != project.contract_hash(name):
        found = list(changes(built.columns, outline_of(project.tables[name]).columns)) if built.columns else []
        is_destructive = any(one.is_destructive for one in found)
        reasons.append(f"its contract changed{': ' if found else ''}{', '.join(one.what for one in found)}")
    elif built.version != observed.versions[name]:
        reasons.append("it was changed by someone else")
    else:
        changing = [table for table in inputs if any(not isinstance(step, KeepTable | RefuseFile) for step in steps.get(table, ()))]
        changed = [table for table in inputs if table not in changing and built.inputs.get(table) != observed.versions.get(table)]
        reasons += [f"{table} changes in this run" for table in changing] + [f"{table} has changed" for table in changed]
        is_whole = getattr(project.tables[name], "refresh", "full") == "full"
    return (
        RefreshTable(name, "; ".join(reasons), is_destructive, is_whole)
        if reasons
        else KeepTable(name, "nothing that it reads has changed")
    )
