"""How is a plan told to a person or a program?"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

from framework.plan.steps import (
    AddColumns,
    CheckTable,
    CloseLoad,
    CreateTable,
    FinishLoad,
    KeepTable,
    LoadFiles,
    Plan,
    RefreshTable,
    RefuseFile,
    ReplayLoad,
    Step,
    TakeBackLoad,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def explained(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Yield table, what is done to it, and why, in the order of the run."""
    for name, steps in plan.steps.items():
        for step in steps:
            yield name, said(step), step.because


def as_record(plan: Plan) -> list[dict[str, Any]]:
    """Return the plan as plain values."""
    return [
        {"table": name, "after": sorted(plan.after[name]), "step": type(step).__name__, "what": said(step), "because": step.because}
        for name, steps in plan.steps.items()
        for step in steps
    ]


@singledispatch
def said(step: Step) -> str:
    """Return what a step does, in a few words."""
    raise NotImplementedError(type(step).__name__)


@said.register(CreateTable)
def _create(step: CreateTable) -> str:  # noqa: ARG001 - the shape of all readings
    return "create it, empty"


@said.register(FinishLoad)
def _finish(step: FinishLoad) -> str:
    return f"finish load {step.load.number}"


@said.register(CloseLoad)
def _close(step: CloseLoad) -> str:
    return f"close load {step.load.number}"


@said.register(TakeBackLoad)
def _take_back(step: TakeBackLoad) -> str:
    return f"take load {step.load.number} back"


@said.register(LoadFiles)
def _load(step: LoadFiles) -> str:
    names = [file.name for file in step.files]
    return f"load {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004 - enough to recognise


@said.register(ReplayLoad)
def _replay(step: ReplayLoad) -> str:
    return f"replay load {step.load.number}"


@said.register(AddColumns)
def _add(step: AddColumns) -> str:
    return f"add {', '.join(step.columns)}"


@said.register(RefuseFile)
def _refuse(step: RefuseFile) -> str:
    return f"refuse {step.file.name}"


@said.register(RefreshTable)
def _refresh(step: RefreshTable) -> str:
    if not step.is_whole:
        return "refresh what changed"
    return "refresh, destructive" if step.is_destructive else "refresh"


@said.register(KeepTable)
def _keep(step: KeepTable) -> str:  # noqa: ARG001 - the shape of all readings
    return "keep"


@said.register(CheckTable)
def _check(step: CheckTable) -> str:  # noqa: ARG001 - the shape of all readings
    return "check"
