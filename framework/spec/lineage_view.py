"""How is lineage shown: as a tree for people, a Mermaid chart for pages, plain values for programs?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework.spec.problem import CannotRunError, did_you_mean

if TYPE_CHECKING:
    from framework.spec.lineage import Column, Lineage, Step

_SHORT = 60


def columns_named(lineage: Lineage, name: str) -> list[Column]:
    """Return the columns that `TABLE` or `TABLE.COLUMN` names.

    Raises:
        CannotRunError: there is no such table or column.
    """
    table, dot, column = name.partition(".")
    if table not in lineage.facts:
        raise CannotRunError(f'There is no table "{table}".', did_you_mean(table, lineage.facts))
    columns = lineage.facts[table].columns
    if not dot:
        technical = {key for key, one in columns.items() if one.by == "added by the engine"}
        return [(table, key) for key in columns if key not in technical]
    if column.lower() not in columns:
        raise CannotRunError(f'{table} has no column "{column}".', did_you_mean(column, (one.name for one in columns.values())))
    return [(table, column.lower())]


def as_tree(lineage: Lineage, columns: list[Column], *, up: bool) -> str:
    """Return a tree for each column: below it what it is made of, or what is made of it."""
    lines: list[str] = []
    for column in columns:
        lines.append(_said(lineage, column))
        _branch(lineage, column, "", lines, up=up, above=(column,))
    return "\n".join(lines) + "\n"


def _branch(lineage: Lineage, column: Column, indent: str, lines: list[str], *, up: bool, above: tuple[Column, ...]) -> None:  # noqa: PLR0913 - where in the tree it is
    steps = sorted(lineage.steps(column, up=up), key=lambda step: (step.above, step.below))
    for i, step in enumerate(steps):
        last = i == len(steps) - 1
        other = step.above if up else step.below
        lines.append(f"{indent}{'└─' if last else '├─'} {_said(lineage, other)}{_how(step)}")
        if other not in above:
            _branch(lineage, other, indent + ("   " if last else "│  "), lines, up=up, above=(*above, other))


def _said(lineage: Lineage, column: Column) -> str:
    held = lineage.taint(column)
    facts = lineage.column(column)
    said = f" · pii: {', '.join(sorted(held))}" if held else ""
    freed = f" · no longer {', '.join(facts.declassified)}" if facts and facts.declassified else ""
    return f"{lineage.name(column)}{said}{freed}"


def _how(step: Step) -> str:
    if step.how == "same":
        return ""
    by = step.by if len(step.by) <= _SHORT else f"{step.by[:_SHORT]}…"
    return f"  ← {step.how}{f': {by}' if by else ''}"


def as_record(lineage: Lineage, columns: list[Column], *, up: bool) -> dict[str, Any]:
    """Return nodes and edges as plain values."""
    steps = list(lineage.walk(columns, up=up))
    nodes = dict.fromkeys((*columns, *(one for step in steps for one in (step.above, step.below))))
    return {
        "columns": [_node(lineage, column) for column in nodes],
        "edges": [{"from": lineage.name(s.above), "to": lineage.name(s.below), "how": s.how, "by": s.by or None} for s in steps],
    }


def _node(lineage: Lineage, column: Column) -> dict[str, Any]:
    facts = lineage.column(column)
    return {
        "table": column[0],
        "column": facts.name if facts else column[1],
        "type": facts.type if facts else None,
        "pii": sorted(lineage.taint(column)),
        "declassified": list(facts.declassified) if facts else [],
    }


def as_mermaid(lineage: Lineage, columns: list[Column], *, up: bool) -> str:
    """Return a Mermaid flow chart; tables are boxes, columns with personal data are marked."""
    steps = list(lineage.walk(columns, up=up))
    nodes = list(dict.fromkeys((*columns, *(one for step in steps for one in (step.above, step.below)))))
    ids = {column: f"c{i}" for i, column in enumerate(nodes)}
    lines = ["flowchart LR"]
    for i, table in enumerate(dict.fromkeys(table for table, _ in nodes)):
        lines.append(f'  subgraph t{i}["{table}"]')
        for column in nodes:
            if column[0] == table:
                facts = lineage.column(column)
                mark = ":::pii" if lineage.taint(column) else ""
                lines.append(f'    {ids[column]}["{facts.name if facts else column[1]}"]{mark}')
        lines.append("  end")
    arrows = {"same": "-->", "derived": "-.->", "aggregated": "==>"}
    lines += [f"  {ids[step.above]} {arrows[step.how]} {ids[step.below]}" for step in steps]
    return "\n".join([*lines, "  classDef pii fill:#fde2e2,stroke:#b3261e"]) + "\n"
