"""What does a person read of the life of a row?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table as Grid

from framework.cli.reports import out

if TYPE_CHECKING:
    from framework.why.lives import Life, Made
    from framework.why.made_of import Difference, Ingredient
    from framework.why.sight import Shown
    from framework.why.story import LastChange, Story, Use

_BECAME = {
    "kept": "[green]kept[/]",
    "duplicate": "[yellow]not kept: another row of its key comes first, or says the same[/]",
    "quarantined": "[red]quarantined[/]",
    "dropped": "[yellow]left out[/]",
}
_FOLLOWED = {
    "quarantine": "the row was quarantined",
    "drop": "the row was left out",
    "set_null": "the value was emptied",
    "warn": "it was counted as a warning",
    "fail": "the table failed",
}
_SHORT = 48


def print_story(story: Story) -> None:
    """Print all that there is to tell."""
    asked = " ".join(f"{name}={value or ''}" for name, value in story.where.items())
    _say(f"[bold]{escape(story.table)}[/] {escape(asked)}")
    for note in story.notes:
        _say(f"[yellow]{escape(note)}[/]")
    if not story.rows:
        _say("\nThe table has no such row." + ("" if story.lives else " Nothing that was read would make one."))
    if story.rows:
        _say("\n[bold]In the table now[/]")
    for row in story.rows:
        _say(f"  {_row(row)}")
    if story.last_change:
        _print_change(story.last_change, story.rows)
    if story.lives:
        _say(f"\n[bold]Rows that were read with it[/]: {len(story.lives)}")
        for number, life in enumerate(story.lives, 1):
            _print_life(life, number, story.lives[0])
    for one in story.made_of:
        _print_ingredient(one)
    _print_uses(story.used)


def _print_uses(used: list[Use]) -> None:
    if used:
        _say("\n[bold]Read by[/]")
    for use in used:
        _say(f"  {escape(use.table)} ({use.how})" + (f": {escape(use.ask)}" if use.ask else ""))


def _print_change(change: LastChange, now: list[Shown]) -> None:
    _say(f"\n[bold]What the last run that wrote the table did[/] ({change.run_id})")
    if not change.before and now:
        _say("  The row came.")
    elif change.before and not now:
        _say(f"  The row went: {_row(change.before[0])}")
    elif change.before == now:
        _say("  Nothing: the row is as it was before.")
    elif len(change.before) == len(now) == 1:
        for name, value in now[0].items():
            if change.before[0].get(name) != value:
                _say(f"  {escape(name)}: {_value(change.before[0].get(name))} → {_value(value)}")
    else:
        for row in change.before:
            _say(f"  before: {_row(row)}")
    if change.contract:
        _say("  The contract changed:")
        for line in change.contract:
            _say(f"    {escape(line)}")


def _print_life(life: Life, number: int, first: Life) -> None:
    place = f"{life.place}, load {life.place.load_id}" if life.place else f"a row of {life.source}"
    _say(f"\n{number}. {escape(place)}: {_BECAME[life.outcome]}")
    if life.lost_by:
        _say(f"   decided by: {escape(life.lost_by)}")
    if life.order:
        _say(f"   order: {_row(life.order)}")
    for rule in life.broken:
        _say(f"   broke [bold]{escape(rule.rule)}[/]: {escape(rule.message)} So {_FOLLOWED[rule.otherwise]}.")
    # Of a row that lost, what it would have brought in otherwise.
    kept = {one.column: one.after for one in first.made} if life.outcome == "duplicate" and first.outcome == "kept" else {}
    _print_made([one for one in life.made if one.column not in kept or kept[one.column] != one.after])
    for below in life.below:
        _print_below(below, "   ")


def _print_made(made: list[Made]) -> None:
    if not made:
        return
    grid = Grid("column", "read", "made by", "value", box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for one in made:
        read = ", ".join(_read(name, value) if name != one.column or one.how else _value(value) for name, value in one.before.items())
        same = not one.how and list(one.before.values()) == [one.after]
        how = one.how if len(one.how) <= _SHORT else f"{one.how[:_SHORT]}…"
        grid.add_row(escape(one.column), "" if same else read, escape(how), _value(one.after))
    out.print(grid)


def _read(name: str, value: str | None) -> str:
    text = value if value is None or len(value) <= _SHORT else f"{value[:_SHORT]}…"
    return f"{escape(name)}={_value(text)}"


def _print_below(life: Life, indent: str) -> None:
    place = f"{life.place}, load {life.place.load_id}" if life.place else f"a row of {life.source}"
    _say(f"{indent}{escape(life.table)}: {escape(place)}: {_BECAME[life.outcome]}")
    for one in life.below:
        _print_below(one, indent + "  ")


def _print_ingredient(one: Ingredient) -> None:
    if not one.found_by:
        _say(f"\n[bold]{escape(one.table)}[/]: the query does not say which of its rows belong here.")
        return
    _say(f"\n[bold]{escape(one.table)}[/]: {one.count:,} row{'' if one.count == 1 else 's'}, {escape(one.found_by)}")
    if one.is_compared:
        said = f"{one.came:,} came and {one.went:,} went" if one.came or one.went else "the same rows as"
        _say(f"  {said} since the table was last another" if one.came or one.went else f"  {said} when the table was last another")
    for difference in one.differences[:10]:
        _say(f"    {_difference(difference)}")
    told = {tuple(sorted(d.row.items(), key=str)) for d in one.differences}
    rest = [row for row in one.rows if tuple(sorted(row.items(), key=str)) not in told]
    for row in rest:
        _say(f"    {_row(row)}")
    if one.count > len(one.rows):
        _say(f"    … and {one.count - len(one.rows):,} more; --rows shows more")


def _difference(one: Difference) -> str:
    colours = {"new": "green", "corrected": "yellow", "gone": "red"}
    was = f", was: {_row(one.was)}" if one.was else ""
    return f"[{colours[one.kind]}]{one.kind}[/]: {_row(one.row)}{was}"


def _row(row: Shown) -> str:
    return ", ".join(f"{escape(name)}={_value(value)}" for name, value in row.items() if value is not None)


def _value(value: str | None) -> str:
    return "[dim]null[/]" if value is None else escape(value.replace("\n", "⏎"))


def _say(text: str) -> None:
    out.print(text, highlight=False, soft_wrap=True)
