"""The command line: parses arguments, prints, exits; the only place that does.

Exit codes: 0 all well, 1 contracts or data are wrong or a table failed, 2 the run could not begin.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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


class PageFormat(str, Enum):
    """How `report` says what a run did."""

    html = "html"
    json = "json"


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
TableOption = Annotated[
    list[str] | None, typer.Option("--table", help="Only this table; may be given several times, or as names with commas between.")
]
PrincipalOption = Annotated[
    str | None, typer.Option("--as", help="Show personal data that this principal is cleared for; all of it is masked without.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="text for people, json for programs.")]
DestructiveOption = Annotated[bool, typer.Option("--allow-destructive", help="Refresh tables of which a column goes or narrows.")]
ACCESS = "access"
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
        typer.secho("Cannot run: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(f"{error.what}\n  fix: {error.fix}", err=True)
        raise typer.Exit(2) from error
    except LakepactError as error:
        typer.secho("Failed: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _print_problems(problems: list[Problem] | tuple[Problem, ...]) -> None:
    for problem in problems:
        head, *rest = problem.text().split("\n")
        typer.secho(head, fg="yellow" if problem.is_warning else "red", bold=True, err=True)
        typer.echo("\n".join([*rest, ""]), err=True)
    warnings = sum(problem.is_warning for problem in problems)
    counts = [_counted(len(problems) - warnings, "error"), _counted(warnings, "warning")]
    said = " and ".join(count for count in counts if not count.startswith("0 ")) or "no problem"
    first = next((problem.code for problem in problems if not problem.is_warning), problems[0].code if problems else "")
    typer.secho(f"{said} found.", fg="red" if len(problems) > warnings else "yellow", bold=True, err=True, nl=False)
    typer.echo(f" `lakepact explain {first}` says more." if first else "", err=True)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _root(named: Path | None) -> Path:
    """Return the project's folder, as seen from here, so that places in it can be clicked on."""
    return named or Path(os.path.relpath(find_root(Path())))


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
        typer.echo(f"lakepact {__version__}")
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
    # A process that lives for a second has no use for a collector, nor for pydantic's search for plugins: a fifth of the time.
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    with _told():
        missing = [path for path in paths or () if not path.exists()]
        if missing:
            raise CannotRunError(f"There is no file or folder {missing[0]}.", "name contracts or folders of them.")
        root = _root(project or _project_above(paths or []))
        named = [path for path in paths or () if path.absolute() != root.absolute()]
        found = validated(root, use_cache=cache)
        findings = found.only(named)
        _print_findings(findings, form, found if named else None)
        raise typer.Exit(1 if findings.errors or (strict and findings.warnings) else 0)


def _project_above(paths: list[Path]) -> Path | None:
    """Return the project that the first of some paths is in, if it is in one."""
    if not paths:
        return None
    root = find_root(paths[0] if paths[0].is_dir() else paths[0].parent)
    return Path(os.path.relpath(root)) if (root / "contracts").is_dir() and (root / "metadata").is_dir() else None


def _print_findings(findings: Findings, form: ProblemFormat, whole: Findings | None) -> None:
    """Print findings; `whole` holds those of the project, where only a part of them is told."""
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
            if whole is not None and not findings.problems:
                typer.secho("Nothing is wrong there", fg="green", bold=True, nl=False)
                typer.echo(f"; {_counted(len(whole.errors), 'error')} elsewhere." if whole.errors else ".")
            elif whole is None and not findings.errors:
                layers = ", ".join(f"{count} {layer}" for layer, count in findings.layers.items())
                accepted = f" {_counted(len(findings.accepted), 'warning')} accepted." if findings.accepted else ""
                count = _counted(sum(findings.layers.values()), "contract")
                verb = "is" if count.startswith("1 ") else "are"
                typer.secho(f"{count} {verb} valid", fg="green", bold=True, nl=False)
                typer.echo(f" ({layers}).{accepted}")


@app.command()
def explain(code: Annotated[str | None, typer.Argument(help="The code of a problem; all are listed without one.")] = None) -> None:
    """Tell what a problem's code means, with a bad and a good example."""
    with _told():
        if code is None:
            from framework.cli.reports import print_codes

            print_codes((name, one.is_warning, one.title) for name, one in CODES.items())
            return
        if code not in CODES:
            raise CannotRunError(f'There is no code "{code}".', did_you_mean(code, CODES))
        if not sys.stdout.isatty():
            sys.stdout.write(page_of(code))
            return
        from rich.markdown import Markdown

        from framework.cli.reports import out

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
                sys.stdout.write(view.as_tree(found, columns, up=up))


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - the command's options
    layer: Annotated[str, typer.Argument(help="bronze, silver, gold, all, or access: what `apply access` would do.")] = "all",
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

        if layer == ACCESS:
            _plan_access(_lakehouse(project, env, landing, warehouse), form)
            return
        found = _lakehouse(project, env, landing, warehouse).plan(layer, table or ())
        if form is Format.json:
            _print_json(as_record(found))
            return
        from framework.cli.reports import print_plan

        print_plan(explained(found), is_empty=found.is_empty)


def _plan_access(lakehouse: Lakehouse, form: Format) -> None:
    from framework.lakehouse.access import access_steps, catalog_access
    from framework.plan.access.statements import as_record

    there = catalog_access(lakehouse)
    steps = access_steps(lakehouse, there)
    if form is Format.json:
        _print_json([as_record(step, there.schema) for step in steps])
        return
    from framework.cli.access import print_steps

    print_steps(steps, there.schema)


@app.command()
def apply(
    what: Annotated[str, typer.Argument(help="access: grants, owners, comments, tags, masks and row filters.")],
    project: ProjectOption = None,
    env: EnvOption = "databricks",
    form: FormatOption = Format.text,
) -> None:
    """Bring a catalog to what contracts say of access, and read it back; `lakepact plan access` shows what would be done."""
    with _told():
        if what != ACCESS:
            raise CannotRunError(f'There is no "{what}" to apply.', "lakepact apply access")
        from framework.cli.access import print_applied, print_step
        from framework.lakehouse.access import apply_access, catalog_access
        from framework.plan.access.statements import as_record

        lakehouse = _lakehouse(project, env, None, None)
        there = catalog_access(lakehouse)
        done = apply_access(lakehouse, there, (lambda _: None) if form is Format.json else lambda step: print_step(step, there.schema))
        if form is Format.json:
            _print_json([as_record(step, there.schema) for step in done])
        else:
            print_applied(done)


@app.command()
def access(
    name: Annotated[str | None, typer.Argument(help="A principal or a table; all of both without one.")] = None,
    project: ProjectOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Show who may see what, by the contracts: of a principal, of a table, or as a matrix of all; needs no workspace."""
    with _told():
        from dataclasses import asdict

        from framework.plan.access.rehearsal import rights

        found = _project(project)
        known = (*found.metadata.principals, *found.tables)
        if name is not None and name not in known:
            raise CannotRunError(f'There is no principal and no table "{name}".', did_you_mean(name, known))
        told = [one for one in rights(found) if name in {None, one.principal, one.table}]
        if form is Format.json:
            _print_json([asdict(one) for one in told])
            return
        from framework.cli.access import print_matrix, print_rights

        if name is None:
            print_matrix(told, list(found.metadata.principals))
        else:
            print_rights(told, name, is_principal=name in found.metadata.principals)


@app.command()
def preview(  # noqa: PLR0913, PLR0917 - the command's options
    table: Annotated[str, typer.Argument(help="A table.")],
    principal: Annotated[str, typer.Option("--as", help="The principal whose eyes the rows are seen with.")],
    most: Annotated[int, typer.Option("--rows", help="How many rows to show.")] = 10,
    project: ProjectOption = None,
    env: EnvOption = "local",
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Show rows as a principal would get them, filtered and masked; refused where no contract grants the table."""
    with _told():
        from framework.lakehouse.preview import preview as seen

        rows = seen(_lakehouse(project, env, None, warehouse), table, principal).limit(most)
        names, values = rows.columns, [list(row) for row in rows.collect()]
        if form is Format.json:
            _print_json([dict(zip(names, row, strict=True)) for row in values])
            return
        from framework.cli.access import print_rows

        print_rows(names, values)


@app.command()
def run(  # noqa: PLR0913, PLR0917 - the command's options
    layer: LayerArgument,
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    table: TableOption = None,
    allow_destructive: DestructiveOption = False,  # noqa: FBT002 - a switch
    form: FormatOption = Format.text,
) -> None:
    """Ingest what was delivered and bring the tables up to date."""
    with _told():
        lakehouse = _lakehouse(project, env, landing, warehouse)
        report = _run(lakehouse, layer, _named(table), quiet=form is Format.json, allow_destructive=allow_destructive)
    _tell(report, form)


@app.command()
def rebuild(  # noqa: PLR0913, PLR0917 - the command's options
    tables: Annotated[list[str], typer.Argument(help="Tables to make anew.", metavar="TABLE…")],
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    allow_destructive: DestructiveOption = False,  # noqa: FBT002 - a switch
    form: FormatOption = Format.text,
) -> None:
    """Work tables out anew from all that they read, swap them in at once, and bring what reads them up to date."""
    with _told():
        from framework.plan.build import ALL_LAYERS, selected_tables, with_readers
        from framework.spec.table import FileTable

        lakehouse = _lakehouse(project, env, landing, warehouse)
        of_files = [name for name in tables if isinstance(lakehouse.project.tables.get(name), FileTable)]
        if of_files:
            raise CannotRunError(
                f"{of_files[0]} holds what was delivered; there is nothing to make it of but the files.",
                "read the files of one load again with `lakepact replay --load ID`; `lakepact loads` lists them.",
            )
        only = [*with_readers(lakehouse.project, selected_tables(lakehouse.project, ALL_LAYERS, tables))]
        report = _run(lakehouse, "all", only, quiet=form is Format.json, rebuild=tables, allow_destructive=allow_destructive)
    _tell(report, form)


@app.command()
def replay(  # noqa: PLR0913, PLR0917 - the command's options
    load: Annotated[str, typer.Option("--load", help="The load, as `lakepact loads` and the column `_load_id` say it.")],
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Read the files of a load again, as their contracts say now, and bring what reads them up to date."""
    with _told():
        from framework.plan.build import with_readers

        lakehouse = _lakehouse(project, env, landing, warehouse)
        only = [*with_readers(lakehouse.project, lakehouse.replayable(load))]
        report = _run(lakehouse, "all", only, quiet=form is Format.json, replay=load)
    _tell(report, form)


@app.command()
def loads(
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """List what was loaded: when, into which table, from which files, how many rows."""
    with _told():
        from dataclasses import asdict

        lakehouse = _lakehouse(project, env, landing, warehouse)
        found = [(name, load) for name in lakehouse.project.contracts for load in lakehouse.state.loads(name)]
        found.sort(key=lambda one: (one[1].timestamp, one[0]))
        if form is Format.json:
            _print_json([{"table": name} | asdict(load) for name, load in found])
            return
        from framework.cli.reports import print_loads

        print_loads(found)


def _tell(report: RunReport, form: Format) -> None:
    """Print what a run did, and exit."""
    if form is Format.json:
        _print_json(report.record)
    else:
        from framework.cli.reports import print_report

        print_report(report)
    raise typer.Exit(0 if report.is_well else 1)


def job() -> None:
    """Run the command as a task of a Databricks job, where leaving with an exit code of 0 would count as a failure too."""
    code = app(standalone_mode=False)
    if code:
        raise RuntimeError(f"lakepact ended with exit code {code}; what it said stands above.")


def _named(tables: list[str] | None) -> list[str]:
    """Return the tables that are named one by one or with commas between; a job's parameter is one text."""
    return [name for one in tables or () for part in one.split(",") if (name := part.strip())]


def _run(lakehouse: Lakehouse, layer: str, only: list[str], *, quiet: bool, **how: Any) -> RunReport:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from framework import runner
    from framework.cli.reports import err

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
        return runner.run(lakehouse, layer, only, progress=progress, **how)


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
        if not sys.stdout.isatty():
            sys.stdout.write(text)
            return
        from rich.syntax import Syntax

        from framework.cli.reports import out

        out.print(Syntax(text, "yaml", background_color="default"))


@app.command()
def quarantine(  # noqa: PLR0913, PLR0917 - the command's options
    table: Annotated[str, typer.Argument(help="A table.")],
    samples: Annotated[int, typer.Option("--samples", help="How many rows to show for each reason.")] = 3,
    principal: PrincipalOption = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the rows as they were delivered into this CSV file, for `lakepact mend`.")
    ] = None,
    project: ProjectOption = None,
    env: EnvOption = "local",
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Show why rows of a table are in quarantine, with samples; personal data is masked."""
    with _told():
        from dataclasses import asdict

        from framework.lakehouse.quarantine import causes

        lakehouse = _lakehouse(project, env, None, warehouse)
        if export:
            from framework.lakehouse.mending import export as write

            count = write(lakehouse, table, export, principal=principal)
            typer.echo(f"{count:,} row{'' if count == 1 else 's'} in {export}. Mend them there, then: lakepact mend {table} {export}")
            return
        found = causes(lakehouse, table, principal=principal, samples=samples)
        if form is Format.json:
            _print_json([asdict(cause) for cause in found])
            return
        if not found:
            typer.echo(f"{table} has no row in quarantine.")
            return
        from framework.cli.reports import print_causes

        print_causes(found)


@app.command()
def why(  # noqa: PLR0913, PLR0917 - the command's options
    table: Annotated[str, typer.Argument(help="A table.")],
    row: Annotated[
        list[str], typer.Argument(help="Which row: columns and their values; nothing behind `=` asks for null.", metavar="COLUMN=VALUE…")
    ],
    most: Annotated[int, typer.Option("--rows", help="How many rows of each kind to show.")] = 10,
    principal: PrincipalOption = None,
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Tell the life of a row: where it came from, what was made of it, what it won against, what changed, who uses it."""
    with _told():
        from dataclasses import asdict

        from framework.why.story import told

        pairs = dict(one.partition("=")[::2] for one in row)
        unclear = [one for one in row if "=" not in one]
        if unclear:
            raise CannotRunError(f'"{unclear[0]}" names no column.', "write COLUMN=VALUE, such as id=17.")
        found = told(_lakehouse(project, env, landing, warehouse), table, pairs, principal=principal, most=max(most, 1))
        if form is Format.json:
            _print_json(asdict(found))
        else:
            from framework.cli.stories import print_story

            print_story(found)
    raise typer.Exit(0 if found.rows or found.lives else 1)


@app.command()
def mend(
    table: Annotated[str, typer.Argument(help="The table in whose quarantine the rows are.")],
    file: Annotated[Path, typer.Argument(help="The CSV file that `lakepact quarantine TABLE --export FILE` wrote, mended.")],
    project: ProjectOption = None,
    env: EnvOption = "local",
    warehouse: WarehouseOption = None,
) -> None:
    """Put rows that were mended by hand in place of those that were delivered; the next run works out what follows."""
    with _told():
        from datetime import datetime, timezone

        from framework.lakehouse.lock import locked
        from framework.lakehouse.mending import mend as put

        lakehouse, now = _lakehouse(project, env, None, warehouse), datetime.now(timezone.utc)
        lakehouse.state.prepare()
        with locked(lakehouse.state.folder, "mend", now.isoformat()):
            found = put(lakehouse, table, file, now)
    typer.echo(f"{found.mended:,} mended, {found.unchanged:,} as they were, {found.unknown:,} belong to no delivered row.")
    if found.mended:
        typer.echo("Run `lakepact run all` to bring the tables up to date.")
    raise typer.Exit(1 if found.unknown else 0)


@app.command()
def maintain(  # noqa: PLR0913, PLR0917 - the command's options
    tables: Annotated[list[str] | None, typer.Argument(help="Tables; all of them, and the run log, without.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; touch nothing.")] = False,  # noqa: FBT002 - a switch
    project: ProjectOption = None,
    env: EnvOption = "local",
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Remove rows, earlier states and runs that are past their days, and put small files together."""
    with _told():
        from datetime import datetime, timezone

        from framework.cli.reports import print_maintained, print_maintenance
        from framework.lakehouse.maintenance import Done, maintain

        def progress(done: Done) -> None:
            if form is Format.text:
                print_maintenance(done, dry_run=dry_run)

        lakehouse = _lakehouse(project, env, None, warehouse)
        found = maintain(lakehouse, tables or (), datetime.now(timezone.utc), dry_run=dry_run, progress=progress)
        if form is Format.json:
            _print_json([one.record for one in found])
        else:
            print_maintained(found, dry_run=dry_run)
    raise typer.Exit(1 if any(one.error for one in found) else 0)


@app.command()
def alerts(  # noqa: PLR0913, PLR0917 - the command's options
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")] = False,  # noqa: FBT002 - a switch
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Tell the channels of metadata/alerts.yml of the last run and of stale tables, as far as they were not told of late."""
    with _told():
        from dataclasses import asdict
        from datetime import datetime, timezone

        from framework.lakehouse.alerting import tell

        lakehouse = _lakehouse(project, env, landing, warehouse)
        if not lakehouse.project.metadata.alerts:
            raise CannotRunError("Nobody is to be told anything.", "write channels into metadata/alerts.yml; docs/operate.md shows some.")
        runs = lakehouse.state.runs(1)
        if not runs:
            raise CannotRunError("There was no run yet.", "`lakepact run all` first.")
        found = tell(lakehouse, runs[0], datetime.now(timezone.utc), dry_run=dry_run)
        if form is Format.json:
            _print_json([asdict(one) for one in found])
        else:
            from framework.cli.reports import print_told

            print_told(found, is_sent=not dry_run)
            if not found:
                typer.echo("Nothing to tell.")
    raise typer.Exit(1 if any(one.error for one in found) else 0)


@app.command()
def status(
    project: ProjectOption = None,
    env: EnvOption = "local",
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Show the last runs, what is running, failing, stale, in quarantine, or waiting for a run."""
    with _told():
        from dataclasses import asdict
        from datetime import datetime, timezone

        from framework.lakehouse.status import standing

        lakehouse = _lakehouse(project, env, landing, warehouse)
        if form is Format.text and not lakehouse.state.runs(1):
            typer.echo("No run yet.")
            return
        found = standing(lakehouse, datetime.now(timezone.utc))
        if form is Format.json:
            _print_json(asdict(found))
            return
        from framework.cli.reports import print_status

        print_status(found)


@app.command()
def report(  # noqa: PLR0913, PLR0917 - the command's options
    run_id: Annotated[str | None, typer.Argument(help="The run; the last one unless said.", metavar="[RUN]")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; beside what the engine remembers, unless said.", show_default=False)
    ] = None,
    samples: Annotated[int, typer.Option("--samples", help="How many refused rows to show for each rule; 0 starts no Spark.")] = 3,
    principal: PrincipalOption = None,
    project: ProjectOption = None,
    env: EnvOption = "local",
    warehouse: WarehouseOption = None,
    form: Annotated[PageFormat, typer.Option("--format", help="html for people, json for programs.")] = PageFormat.html,
) -> None:
    """Write a page that says what a run did: what arrived, what was refused and why, and which tables may be used."""
    with _told():
        from dataclasses import asdict
        from datetime import datetime, timezone

        from framework.report.facts import facts_of

        lakehouse = _lakehouse(project, env, None, warehouse)
        facts = facts_of(lakehouse, run_id, datetime.now(timezone.utc), principal=principal, samples=samples)
        if form is PageFormat.json:
            _print_json(asdict(facts))
            return
        try:
            from framework.report.page import page_of as html_of
        except ImportError as error:
            raise CannotRunError(f"The page cannot be drawn: {error.name} is not installed.", "pip install 'lakepact[report]'") from error
        path = out or lakehouse.state.folder / "reports" / f"{facts.record['run_id']}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html_of(facts), "utf-8")
    typer.echo(path)
