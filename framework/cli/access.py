"""What does a person read of who may see what?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table as Grid

from framework.cli.reports import out
from framework.plan.access.statements import statement
from framework.plan.access.steps import DropFilter, DropMask, Revoke, TellDrift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework.plan.access.rehearsal import Right
    from framework.plan.access.statements import Schema
    from framework.plan.access.steps import AccessStep

_WIDEST = 40


def print_steps(steps: Sequence[AccessStep], schema: Schema) -> None:
    """Print what has to be done to a catalog, and what is only told."""
    for step in steps:
        print_step(step, schema)
    changes = [step for step in steps if not isinstance(step, TellDrift)]
    if not changes:
        _say("[bold green]The catalog holds what the contracts say.[/]")
    else:
        _say(f"\n{len(changes)} change{'' if len(changes) == 1 else 's'}; `lakepact apply access` carries them out in this order.")


def print_step(step: AccessStep, schema: Schema) -> None:
    """Print one step and why."""
    if isinstance(step, TellDrift):
        where = f"{step.level} {step.name}".strip()
        told = f"{step.principal} has {', '.join(step.privileges)} on the {where}"
        _say(f"[yellow]drift[/]  {escape(told)}: {escape(step.because)}")
        return
    sign = "[red]-[/]" if isinstance(step, Revoke | DropMask | DropFilter) else "[green]+[/]"
    _say(f"{sign} {escape(statement(step, schema))}")
    _say(f"    [dim]{escape(step.because)}[/]")


def print_applied(steps: Sequence[AccessStep]) -> None:
    """Print how many changes were made."""
    changes = sum(not isinstance(step, TellDrift) for step in steps)
    if changes:
        _say(f"\n[bold green]{changes} change{'' if changes == 1 else 's'} made, and read back.[/]")
    else:
        _say("[bold green]Nothing to change: the catalog holds what the contracts say.[/]")


def print_matrix(rights: Sequence[Right], principals: Sequence[str]) -> None:
    """Print who may do what with which table."""
    by_place = {(one.table, one.principal): one for one in rights}
    grid = Grid("table", *map(escape, principals), box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for table in dict.fromkeys(one.table for one in rights):
        grid.add_row(escape(table), *(_cell(by_place.get((table, principal))) for principal in principals))
    out.print(grid)
    _say("\nNobody else may anything. `lakepact access NAME` tells of a principal or a table by which line, and which columns in clear.")


def _cell(right: Right | None) -> str:
    if right is None:
        return "[dim]·[/]"
    seen = ", masked" if right.masked else ", personal data" if right.clear else ""
    rows = "" if right.rows == "all" else ", some rows"
    return f"{'/'.join(right.privileges)}{seen}{rows}"


def print_rights(rights: Sequence[Right], name: str, *, is_principal: bool) -> None:
    """Print all that a principal may see, or all who may see a table."""
    if not rights:
        _say(f"{escape(name)} may see nothing: no contract grants anything to it.")
    for one in rights:
        other = one.table if is_principal else one.principal
        _say(f"[bold]{escape(other)}[/]: {', '.join(one.privileges)}  [dim]{escape(one.granted_at)}[/]")
        if one.clear:
            _say(f"  personal data in clear: {escape(', '.join(one.clear))}")
        if one.masked:
            _say(f"  masked: {escape(', '.join(one.masked))}")
        if one.rows != "all":
            _say(f"  rows: {escape(one.rows if one.rows == 'none' else f'those with {one.rows}')}")


def print_rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows, each as a block where there are many columns."""
    if not rows:
        _say("No rows.")
    for row in rows:
        _say(", ".join(f"{escape(name)}={_value(value)}" for name, value in zip(names, row, strict=True)))


def _value(value: Any) -> str:
    if value is None:
        return "[dim]null[/]"
    text = str(value).replace("\n", "⏎")
    return escape(text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…")


def _say(text: str) -> None:
    out.print(text, highlight=False, soft_wrap=True)
