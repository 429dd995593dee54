"""Runs the first product on sample deliveries and shows what came out.

`python -m samples.demo FOLDER --orders 2000 --seed 1`: FOLDER gets `landing`, `warehouse` and the deliveries.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table as Grid

from framework.cli.reports import print_report
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.session import start_session
from framework.report.facts import facts_of
from framework.report.page import page_of
from framework.runner import run
from framework.spec.problem import LakepactError
from framework.spec.project import read_project
from samples.generate import arguments, generate

if TYPE_CHECKING:
    from pyspark.sql import Row

ROOT = Path(__file__).parents[1]
FIRST_ROWS = 5
WIDEST = 10
"""A table of more columns is shown turned: a line for each column."""


def main() -> None:
    """Make the deliveries, run the pipeline after each, print reports and the first rows of gold."""
    wanted = arguments(__doc__)
    try:
        demo(wanted.folder.absolute(), wanted.orders, wanted.seed)
    except LakepactError as error:
        raise SystemExit(f"The demo could not run: {error}") from error


def demo(folder: Path, orders: int, seed: int) -> None:
    """Run the demo in a folder of its own, which is made anew."""
    console = Console(width=None if Console().is_terminal else 140)
    shutil.rmtree(folder, ignore_errors=True)
    landing, warehouse = folder / "landing", folder / "warehouse"
    landing.mkdir(parents=True)
    project = read_project(ROOT)
    lakehouse = Lakehouse(project, "local", landing, warehouse)
    for number, delivery in enumerate(generate(folder / "deliveries", orders, seed), 1):
        for path in sorted(delivery.iterdir()):
            shutil.copy2(path, landing)
        names = ", ".join(path.name for path in sorted(delivery.iterdir()))
        console.rule(f"[bold]Delivery {number}[/]: {names}")
        console.print("The first start of Spark fetches Delta's jars; later ones are faster.\n" if number == 1 else "")
        print_report(run(lakehouse, "all"))
    page = lakehouse.state.folder / "reports" / "last.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text(page_of(facts_of(lakehouse, None, datetime.now(timezone.utc))), "utf-8")
    console.print(f"\nThe last run as a page: {page}", soft_wrap=True)
    console.rule("[bold]Gold")
    spark = start_session({})
    for name, table in project.tables.items():
        if table.layer == "gold":
            _print_rows(console, name, table.description, lakehouse.tables(spark).read(name).limit(FIRST_ROWS).collect())
    console.print("\nWhere to look:")
    console.print(f"  tables      {warehouse}/<table>, Delta folders", soft_wrap=True, highlight=False)
    console.print(f"  quarantine  {warehouse}/<table>_quarantine, with _reasons", soft_wrap=True, highlight=False)
    console.print(
        f'  status      .venv/bin/python -m framework status --landing "{landing}" --warehouse "{warehouse}"',
        soft_wrap=True,
        highlight=False,
    )


def _print_rows(console: Console, name: str, description: str, rows: list[Row]) -> None:
    console.print(f"\n[bold]{name}[/]: {description}", highlight=False)
    records = [row.asDict() for row in rows]
    if records and len(records[0]) > WIDEST:
        grid = Grid("column", *(f"row {i}" for i in range(1, len(records[:3]) + 1)), box=None, header_style="dim", pad_edge=False)
        for column in records[0]:
            grid.add_row(column, *(_shown(record[column]) for record in records[:3]))
    else:
        grid = Grid(*(records[0] if records else ["no rows"]), box=None, header_style="dim", pad_edge=False)
        for record in records:
            grid.add_row(*(_shown(cell) for cell in record.values()))
    console.print(grid)


def _shown(cell: object) -> str:
    return "" if cell is None else ", ".join(map(str, cell)) if isinstance(cell, list) else str(cell)


if __name__ == "__main__":
    main()
