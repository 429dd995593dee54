"""The command line: parses arguments, prints, exits; the only place that does.

Exit codes: 0 all well, 1 contracts or data are wrong or a table failed, 2 the run could not begin.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from framework import __version__
from framework.spec.codes import CODES
from framework.spec.findings import Findings, find_root, validated
from framework.spec.problem import CannotRunError, ContractError, LakepactError, Problem, did_you_mean
from framework.spec.render import as_github, as_records, as_sarif, page_of

# What reads YAML and SQL, and what plans and runs, is imported by the commands that need it: `validate` answers in a
# fifth of a second where no file changed.
if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.runner import RunReport, TableReport
    from framework.spec.project import Project

app = typer.Typer(
    name="lakepact",
    help="Turn YAML contracts into governed Delta tables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
# Where nobody's terminal sets a width, lines are as long as the widest table.
_WIDTH = None if Console().is_terminal else 160
out, err = Console(width=_WIDTH), Console(stderr=True, width=_WIDTH)


class Format(str, Enum):
    """How a command prints its result."""

    text = "text"
    json = "json"


class ProblemFormat(str, Enum):
    """How `validate` prints problems."""

    text = "text"
    json = "json"
    github = "github"
    sarif = "sarif"


class LineageFormat(str, Enum):
    """How `lineage` prints what it found."""

    text = "text"
    json = "json"
    mermaid = "mermaid"


ProjectOption = Annotated[
    Path | None, typer.Option("--project", help="The folder with contracts/ and metadata/; else found upwards from here.")
]
EnvOption = Annotated[str, typer.Option("--env", help="An environment of metadata/environments.yml.")]
LandingOption = Annotated[Path | None, typer.Option("--landing", help="The folder with deliveries, in place of the environment's.")]
WarehouseOption = Annotated[Path | None, typer.Option("--warehouse", help="The folder with tables, in place of the environment's.")]
TableOption = Annotated[list[str] | None, typer.Option("--table", help="Only this table; may be given several times.")]
FormatOption = Annotated[Format, typer.Option("--format", help="text for people, json for programs.")]
LayerArgument = Annotated[str, typer.Argument(help="bronze, silver, gold, or all.")]


def main() -> None:
    """Run the command; a user's mistake is told in words, without a traceback."""
    app()


@contextmanager
def _told() -> Iterator[None]:
    """Turn a user's mistake into words and an exit code."""
    try:
        yield
    except ContractError as error:
        _print_problems(error.problems)
        raise typer.Exit(1) from error
    except CannotRunError as error:
        err.print(f"[bold red]Cannot run:[/] {escape(error.what)}", highlight=False, soft_wrap=True)
        err.print(f"  fix: {escape(error.fix)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    except LakepactError as error:
        err.print(f"[bold red]Failed:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _print_problems(problems: list[Problem] | tuple[Problem, ...]) -> None:
    for problem in problems:
        head, *rest = problem.text().split("\n")
        err.print(f"[bold {'yellow' if problem.is_warning else 'red'}]{escape(head)}[/]", highlight=False, soft_wrap=True)
        err.print(escape("\n".join(rest)), highlight=False, soft_wrap=True)
        err.print()
    warnings = sum(problem.is_warning for problem in problems)
    counts = [_counted(len(problems) - warnings, "error"), _counted(warnings, "warning")]
    said = " and ".join(count for count in counts if not count.startswith("0 ")) or "no problem"
    first = next((problem.code for problem in problems if not problem.is_warning), problems[0].code if problems else "")
    hint = f" `lakepact explain {first}` says more." if first else ""
    err.print(f"[bold {'red' if len(problems) > warnings else 'yellow'}]{said}[/] found.{hint}", highlight=False)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _root(named: Path | None) -> Path:
    return named or find_root(Path())


def _project(named: Path | None) -> Project:
    from framework.spec.project import read_project

    return read_project(_root(named))


def _lakehouse(project: Path | None, env: str, landing: Path | None, warehouse: Path | None) -> Lakehouse:
    from framework.lakehouse.lakehouse import Lakehouse

    return Lakehouse(_project(project), env, landing and landing.absolute(), warehouse and warehouse.absolute())


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


@app.callback(invoke_without_command=True)
def _version(*, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(f"lakepact {__version__}", highlight=False)
        raise typer.Exit


@app.command()
def validate(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders to tell problems of; all are looked at.")] = None,
    project: ProjectOption = None,
    form: Annotated[ProblemFormat, typer.Option("--format", help="text, json, github (annotations), or sarif.")] = ProblemFormat.text,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too.")] = False,  # noqa: FBT002 - a switch
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Look again only at what changed.")] = True,  # noqa: FBT002
) -> None:
    """Find every mistake in contracts and metadata, with its line and the fix; starts no Spark."""
    with _told():
        named = [path for path in paths or () if not path.exists()]
        if named:
            raise CannotRunError(f"There is no file or folder {named[0]}.", "name contracts or folders of them.")
        root = _root(project or _project_above(paths or []))
        findings = validated(root, use_cache=cache).only(path for path in paths or () if path.absolute() != root.absolute())
        _print_findings(findings, form)
        raise typer.Exit(1 if findings.errors or (strict and findings.warnings) else 0)


def _project_above(paths: list[Path]) -> Path | None:
    """Return the project that the first of some paths is in, if it is in one."""
    if not paths:
        return None
    root = find_root(paths[0] if paths[0].is_dir() else paths[0].parent)
    return root if (root / "contracts").is_dir() and (root / "metadata").is_dir() else None


def _print_findings(findings: Findings, form: ProblemFormat) -> None:
    match form:
        case ProblemFormat.json:
            _print_json(as_records(findings.problems))
        case ProblemFormat.github:
            sys.stdout.write(as_github(findings.problems, Path()))
        case ProblemFormat.sarif:
            _print_json(as_sarif(findings, Path(), __version__))
        case ProblemFormat.text:
            if findings.problems:
                _print_problems(findings.problems)
            if not findings.errors:
                layers = ", ".join(f"{count} {layer}" for layer, count in findings.layers.items())
                accepted = f" {_counted(len(findings.accepted), 'warning')} accepted." if findings.accepted else ""
                count = _counted(sum(findings.layers.values()), "contract")
                verb = "is" if count.startswith("1 ") else "are"
                out.print(f"[bold green]{count} {verb} valid[/] ({layers}).{accepted}", highlight=False)


@app.command()
def explain(code: Annotated[str | None, typer.Argument(help="The code of a problem; all are listed without one.")] = None) -> None:
    """Tell what a problem's code means, with a bad and a good example."""
    with _told():
        if code is None:
            grid = Grid("code", "", "means", box=None, header_style="bold", pad_edge=False)
            for name, one in CODES.items():
                grid.add_row(name, "[yellow]warning[/]" if one.is_warning else "[red]error[/]", escape(one.title))
            out.print(grid)
            return
        if code not in CODES:
            raise CannotRunError(f'There is no code "{code}".', did_you_mean(code, CODES))
        if not out.is_terminal:
            sys.stdout.write(page_of(code))
            return
        from rich.markdown import Markdown

        out.print(Markdown(page_of(code)))


@app.command()
def lineage(
    name: Annotated[str, typer.Argument(help="A table, or TABLE.COLUMN.")],
    up: Annotated[bool, typer.Option("--up/--down", help="What it is made of, or what is made of it.")] = True,  # noqa: FBT002 - a switch
    form: Annotated[LineageFormat, typer.Option("--format", help="text, json, or mermaid.")] = LineageFormat.text,
    project: ProjectOption = None,
) -> None:
    """Show where columns come from or go to, and the personal data that goes with them; starts no Spark."""
    with _told():
        from framework.spec import lineage_view as view

        found = _project(project).lineage
        columns = view.columns_named(found, name)
        match form:
            case LineageFormat.json:
                _print_json(view.as_record(found, columns, up=up))
            case LineageFormat.mermaid:
                sys.stdout.write(view.as_mermaid(found, columns, up=up))
            case LineageFormat.text:
                out.print(escape(view.as_tree(found, columns, up=up)), highlight=False, soft_wrap=True, end="")


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - the command's options
    layer: LayerArgument = "all",
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    table: TableOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Show what a run would do, and why; changes nothing."""
    with _told():
        from framework.plan.explain import as_record, explained

        found = _lakehouse(project, env, landing, warehouse).plan(layer, table or ())
        if form is Format.json:
            _print_json(as_record(found))
            return
        grid = Grid("table", "step", "because", box=None, header_style="bold", pad_edge=False)
        for name, step, because in explained(found):
            grid.add_row(escape(name), escape(step), escape(because))
        out.print(grid)
        if found.is_empty:
            out.print("\n[bold green]Nothing to do.[/]")


@app.command()
def run(  # noqa: PLR0913, PLR0917 - the command's options
    layer: LayerArgument,
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    table: TableOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Ingest what was delivered and bring the tables up to date."""
    with _told():
        lakehouse = _lakehouse(project, env, landing, warehouse)
        report = _run(lakehouse, layer, table or [], quiet=form is Format.json)
    if form is Format.json:
        _print_json(report.record)
    else:
        print_report(report)
    raise typer.Exit(0 if report.is_well else 1)


def _run(lakehouse: Lakehouse, layer: str, only: list[str], *, quiet: bool) -> RunReport:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from framework import runner

    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=quiet or not err.is_terminal,
    )
    tasks: dict[str, Any] = {}

    def progress(event: TableReport | str) -> None:
        if isinstance(event, str):
            tasks[event] = shown.add_task(event)
        elif event.table in tasks:
            shown.remove_task(tasks.pop(event.table))

    with shown:
        return runner.run(lakehouse, layer, only, progress=progress)


@app.command()
def show(table: Annotated[str, typer.Argument(help="A table.")], project: ProjectOption = None) -> None:
    """Print a contract with everything resolved, and where each default came from."""
    with _told():
        found = _project(project)
        contract = found.contracts.get(table)
        if contract is None:
            raise CannotRunError(f'There is no table "{table}".', did_you_mean(table, found.contracts))
        from framework.spec.resolved import resolved_text

        text = resolved_text(contract)
        if not out.is_terminal:
            sys.stdout.write(text)
            return
        from rich.syntax import Syntax

        out.print(Syntax(text, "yaml", background_color="default"))


@app.command()
def status(
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Show the last runs, what is stale, and what is quarantined and why."""
    with _told():
        from framework.plan.explain import explained

        lakehouse = _lakehouse(project, env, landing, warehouse)
        runs = lakehouse.state.runs()
        if form is Format.json:
            _print_json(runs)
            return
        if not runs:
            out.print("No run yet.")
            return
        _print_runs(runs)
        _print_quarantine(lakehouse.project, runs)
        waiting = [(name, step, because) for name, step, because in explained(lakehouse.plan("all")) if step != "keep"]
        out.print(f"\n[bold]Waiting for a run[/]: {len(waiting)} step{'s' if len(waiting) != 1 else ''}", highlight=False)
        for name, step, because in waiting:
            out.print(f"  {escape(name)}: {escape(step)}, {escape(because)}", highlight=False, soft_wrap=True)


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
        grid.add_row(escape(one.table), *numbers, f"{one.seconds:.1f}", f"[{colour}]{one.outcome}[/]")
    out.print(grid)
    _print_rules(report)
    for one in report.tables:
        for file in one.files:
            if file.refused:
                err.print(
                    f"\n[bold red]refused[/] {escape(file.name)} ({escape(one.table)}): {escape(file.refused)}",
                    highlight=False,
                    soft_wrap=True,
                )
                err.print(f"  fix: {escape(file.fix or '')}", highlight=False, soft_wrap=True)
            elif file.ragged:
                err.print(f"\n[yellow]{file.ragged} rows of {escape(file.name)} have too few or too many fields[/]", highlight=False)
        if one.outcome in {"failed", "skipped"}:
            err.print(f"\n[bold red]{one.outcome}[/] {escape(one.table)}: {escape(one.reason)}", highlight=False, soft_wrap=True)
    for name in report.unclaimed:
        err.print(f"\n[yellow]{escape(name)} lies in the landing folder, and no contract's pattern matches it[/]", highlight=False)
    word = "[bold green]all well[/]" if report.is_well else "[bold red]not all well[/]"
    out.print(f"\nrun {report.run_id}: {word}, {report.seconds:.1f} s", highlight=False)


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


def _print_quarantine(project: Project, runs: list[dict[str, Any]]) -> None:
    """Print what is in quarantine, as the last run that worked on each table left it."""
    out.print("\n[bold]Quarantine[/]")
    grid = Grid("table", "rows", "rules", box=None, header_style="bold", pad_edge=False)
    grid.columns[1].justify = "right"
    for name in project.contracts:
        last = next((t for one in runs for t in one["tables"] if t["table"] == name and t["outcome"] == "done"), None)
        if last and last["quarantined"]:
            rules = ", ".join(f"{rule} {told['rows']:,}" for rule, told in last["rules"].items() if told["otherwise"] == "quarantine")
            grid.add_row(escape(name), _number(last["quarantined"]), escape(rules))
    out.print(grid if grid.row_count else "  nothing")


def _number(count: int) -> str:
    return f"{count:,}" if count else "·"
