"""What does a person read of plans, runs and quarantine? All that is drawn with Rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from framework.lakehouse.alerting import Told
    from framework.lakehouse.maintenance import Done
    from framework.lakehouse.quarantine import Cause
    from framework.lakehouse.status import Standing
    from framework.plan.steps import Load
    from framework.runner import RunReport, TableReport

# Where nobody's terminal sets a width, lines are as long as the widest table.
_WIDTH = None if Console().is_terminal else 160
out, err = Console(width=_WIDTH), Console(stderr=True, width=_WIDTH)


def print_plan(steps: Iterable[tuple[str, str, str]], *, is_empty: bool) -> None:
    """Print a plan's steps with their reasons."""
    grid = Grid("table", "step", "because", box=None, header_style="bold", pad_edge=False)
    for name, step, because in steps:
        grid.add_row(escape(name), escape(step), escape(because))
    out.print(grid)
    if is_empty:
        out.print("\n[bold green]Nothing to do.[/]")


def print_causes(causes: Iterable[Cause]) -> None:
    """Print why rows are in quarantine, and some of them."""
    for cause in causes:
        out.print(f"[bold]{escape(cause.rule)}[/]: {_counted(cause.rows)}. {escape(cause.message)}", highlight=False, soft_wrap=True)
        for sample in cause.samples:
            cells = ", ".join(f"{name}={value}" for name, value in sample.items() if value is not None)
            out.print(f"  {escape(cells)}", highlight=False, soft_wrap=True)
        out.print()


def _counted(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def print_loads(loads: Iterable[tuple[str, Load]]) -> None:
    """Print what was loaded."""
    grid = Grid("load", "table", "file", "rows", box=None, header_style="bold", pad_edge=False)
    grid.columns[3].justify = "right"
    for table, load in loads:
        for file in load.files:
            rows = _number(load.rows.get(file.name, 0)) if load.closed else "not finished"
            grid.add_row(escape(load.load_id), escape(table), escape(file.name), rows)
    out.print(grid if grid.row_count else "Nothing was loaded yet.")


def print_codes(codes: Iterable[tuple[str, bool, str]]) -> None:
    """Print every code with its gravity and meaning."""
    grid = Grid("code", "", "means", box=None, header_style="bold", pad_edge=False)
    for name, is_warning, title in codes:
        grid.add_row(name, "[yellow]warning[/]" if is_warning else "[red]error[/]", escape(title))
    out.print(grid)


def print_status(found: Standing) -> None:
    """Print the last runs, what is running, failing, stale, in quarantine, and what waits for a run."""
    if found.running:
        out.print(f"[bold]Running[/]: {escape(found.running)}\n", highlight=False)
    _print_runs(found.runs)
    if found.failing:
        out.print("\n[bold]Failing checks[/]: later layers do not use these tables")
        for name, checks in found.failing.items():
            out.print(f"  {escape(name)}: [red]{escape('; '.join(checks))}[/]", highlight=False, soft_wrap=True)
    if found.stale:
        out.print("\n[bold]Stale[/]")
        for one in found.stale:
            out.print(f"  {escape(one.table)}: [yellow]{escape(one.check)}[/], and it is {one.age} old", highlight=False, soft_wrap=True)
    _print_quarantine(found.quarantined)
    out.print(f"\n[bold]Waiting for a run[/]: {len(found.waiting)} step{'s' if len(found.waiting) != 1 else ''}", highlight=False)
    for name, step, because in found.waiting:
        out.print(f"  {escape(name)}: {escape(step)}, {escape(because)}", highlight=False, soft_wrap=True)


def print_told(told: Iterable[Told], *, is_sent: bool) -> None:
    """Print who was told what, or would be."""
    for one in told:
        if one.error:
            err.print(f"\n[yellow]{escape(one.channel)} could not be told: {escape(one.error)}[/]", highlight=False, soft_wrap=True)
            continue
        word = "was told" if is_sent else "would be told"
        out.print(f"\n[bold]{escape(one.channel)}[/] {word}:", highlight=False)
        for alert in one.alerts:
            told_of = f"{alert.severity} {alert.title}: {alert.text}"
            out.print(f"  {escape(told_of)}", highlight=False, soft_wrap=True)


def print_report(report: RunReport) -> None:
    """Print what a run did: tables with their counts, rules that rows broke, what was refused or failed."""
    grid = Grid(
        "table", "read", "kept", "duplicate", "quarantined", "dropped", "seconds", "", box=None, header_style="bold", pad_edge=False
    )
    for column in grid.columns[1:7]:
        column.justify = "right"
    for one in report.tables:
        colour = {"done": "green", "unchanged": "dim", "failed": "red", "skipped": "yellow"}[one.outcome]
        if one.outcome == "done":
            numbers = [_number(n) for n in (one.read, one.kept, one.duplicate, one.quarantined, one.dropped)]
        else:
            numbers = [""] * 5
        grid.add_row(
            escape(one.table),
            *numbers,
            f"{one.seconds:.1f}",
            f"[{colour}]{one.outcome}{', what changed' if one.how == 'what changed' else ''}[/]",
        )
    out.print(grid)
    _print_rules(report)
    _print_checks(report)
    for one in report.tables:
        _print_files(one)
        if one.shifted:
            told = f"{one.shifted} rows of {one.table} have several values that cannot be read; their fields may be shifted"
            err.print(f"\n[yellow]{escape(told)}[/]", highlight=False)
        if one.outcome in {"failed", "skipped"}:
            err.print(f"\n[bold red]{one.outcome}[/] {escape(one.table)}: {escape(one.reason)}", highlight=False, soft_wrap=True)
    for name in report.unclaimed:
        err.print(f"\n[yellow]{escape(name)} lies in the landing folder, and no contract's pattern matches it[/]", highlight=False)
    print_told(report.told, is_sent=True)
    for missed in report.unsent:
        told = f"{missed.receiver} was not sent its OpenLineage events, the next run sends them: {missed.error}"
        err.print(f"\n[yellow]{escape(told)}[/]", highlight=False, soft_wrap=True)
    if report.unrecorded:
        told = f"the run is not in the table _runs yet, the next one puts it there: {report.unrecorded}"
        err.print(f"\n[yellow]{escape(told)}[/]", highlight=False, soft_wrap=True)
    word = "[bold green]all well[/]" if report.is_well else "[bold red]not all well[/]"
    out.print(f"\nrun {report.run_id}: {word}, {report.seconds:.1f} s", highlight=False)


def _print_files(one: TableReport) -> None:
    """Print what is to be said of a table's files."""
    for file in one.files:
        if file.refused:
            err.print(
                f"\n[bold red]refused[/] {escape(file.name)} ({escape(one.table)}): {escape(file.refused)}",
                highlight=False,
                soft_wrap=True,
            )
            err.print(f"  fix: {escape(file.fix or '')}", highlight=False, soft_wrap=True)
        if file.ragged:
            err.print(f"\n[yellow]{file.ragged} rows of {escape(file.name)} have too few or too many fields[/]", highlight=False)
        for told in file.drift:
            err.print(f"\n[yellow]{escape(file.name)}[/]: {escape(told)}", highlight=False, soft_wrap=True)


def _print_rules(report: RunReport) -> None:
    grid = Grid("table", "rule", "rows", "what happened to them", box=None, header_style="bold", pad_edge=False)
    grid.columns[2].justify = "right"
    words = {"quarantine": "quarantined", "drop": "left out", "set_null": "value emptied", "warn": "warned", "fail": "failed the table"}
    for one in report.tables:
        for name, told in one.rules.items():
            grid.add_row(escape(one.table), escape(name), _number(int(told["rows"])), words[str(told["otherwise"])])
    if grid.row_count:
        out.print("\n[bold]Rules that rows broke[/]")
        out.print(grid)


def _print_checks(report: RunReport) -> None:
    """Print how many checks on whole tables passed, and those that did not."""
    checks = [(one.table, check) for one in report.tables for check in one.checks]
    if not checks:
        return
    passed = sum(check.outcome == "pass" for _, check in checks)
    told = f"{passed} of {len(checks)} passed, {report.checking_seconds:.1f} s"
    out.print(f"\n[bold]Checks on whole tables[/]: {told}", highlight=False)
    grid = Grid("table", "check", "", "found", box=None, header_style="bold", pad_edge=False)
    colours = {"warn": "yellow", "fail": "red", "error": "red", "not made": "yellow"}
    for table, check in checks:
        if check.outcome != "pass":
            value = "" if check.value is None else f"{check.value:,.10g}"
            found = "; ".join(part for part in (value, check.note) if part)
            grid.add_row(escape(table), escape(check.check), f"[{colours[check.outcome]}]{check.outcome}[/]", escape(found))
    if grid.row_count:
        out.print(grid)


def _print_runs(runs: list[dict[str, Any]]) -> None:
    grid = Grid("run", "layer", "outcome", "tables", "seconds", box=None, header_style="bold", pad_edge=False)
    for one in runs:
        tables = ", ".join(
            f"{sum(t['outcome'] == kind for t in one['tables'])} {kind}"
            for kind in ("done", "unchanged", "failed", "skipped")
            if any(t["outcome"] == kind for t in one["tables"])
        )
        grid.add_row(one["run_id"], one["layer"], one["outcome"], tables, f"{one['seconds']:.1f}")
    out.print(grid)


def _print_quarantine(quarantined: Mapping[str, tuple[int, Mapping[str, int]]]) -> None:
    """Print what is in quarantine, and why."""
    out.print("\n[bold]Quarantine[/]")
    grid = Grid("table", "rows", "rules", box=None, header_style="bold", pad_edge=False)
    grid.columns[1].justify = "right"
    for name, (rows, by_rule) in quarantined.items():
        grid.add_row(escape(name), _number(rows), escape(", ".join(f"{rule} {count:,}" for rule, count in by_rule.items())))
    out.print(grid if grid.row_count else "  nothing")


def _number(count: int) -> str:
    return f"{count:,}" if count else "·"


_MAINTAINED = {
    "rows": ("rows go", "rows would go"),
    "purge": ("taken out of the files", "to be taken out of the files"),
    "keep": ("time travel set", "time travel to be set"),
    "cluster": ("clustered anew", "to be clustered anew"),
    "optimize": ("put together", "to be put together"),
    "vacuum": ("old files removed", "old files would go"),
    "runs": ("runs forgotten", "runs would be forgotten"),
    "left": ("left to the platform", "left to the platform"),
}


def print_maintenance(done: Done, *, dry_run: bool) -> None:
    """Print what was done to a table, or would be."""
    said = _MAINTAINED[done.task.kind][dry_run]
    counted = f"{done.count:,} {said}" if done.count is not None else said
    what = f"[red]could not be done: {escape(done.error)}[/]" if done.error else counted
    out.print(f"[bold]{escape(done.task.table or 'run log')}[/]: {what}  [dim]{escape(done.task.because)}[/]", soft_wrap=True)


def print_maintained(found: Sequence[Done], *, dry_run: bool) -> None:
    """Print the end of it."""
    if not found:
        out.print("[bold green]Nothing to do.[/]")
    elif dry_run:
        out.print("\nNothing was touched. What goes can be read by time travel until the days of earlier states are over.")
    elif any(one.task.kind == "rows" and not one.error and not one.task.table.startswith("_") for one in found):
        out.print("\nRun `lakepact run all` to bring what is made of these tables up to date.")
