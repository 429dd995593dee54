"""How are a run's numbers drawn? As SVG that takes its colours from the page, so that it is right by day and by night."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import altair as alt
import vl_convert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from framework.report.facts import Moment, RunFacts

FATES = ("kept", "duplicate", "quarantined", "dropped")
"""What becomes of a row that was read; also the names of their colours."""

_NAMES = {"left": 36, "right": 12, "top": 4, "bottom": 4}
"""Room around a chart whose axis says tables' names: the reader's letters may be wider than those that it was measured with."""

_MOST_NODES = 80
_ROW, _COLUMN, _BOX = 30, 250, 200
"""Of the lineage graph: pixels from one box to the next below, to the next beside it, and a box's width."""


def flow(run: RunFacts) -> str:
    """Draw what became of each table's rows, as shares of those that were read."""
    rows = [
        {"table": one.name, "fate": fate, "order": order, "rows": one.record[fate]}
        for one in run.tables
        if one.record["read"] and one.record["outcome"] in {"done", "failed"} and one.record.get("grouped") is None
        for order, fate in enumerate(FATES)
        if one.record[fate]
    ]
    if not rows:
        return ""
    chart = (
        _chart(rows)
        .mark_bar(height=14)
        .encode(
            x=alt.X("rows:Q").stack("normalize").title(None).axis(format="%", tickCount=5),
            y=alt.Y("table:N").sort(None).title(None),
            color=alt.Color("fate:N").scale(domain=list(FATES), range=[f"var(--{fate})" for fate in FATES]).legend(None),
            order=alt.Order("order:Q"),
        )
        .properties(width=520, height=alt.Step(24))
    )
    return _svg(
        chart, "For each table the shares of rows kept, duplicate, quarantined and dropped; the numbers stand in the table below.", _NAMES
    )


def timings(run: RunFacts) -> str:
    """Draw when the run worked on which table."""
    rows = [
        {"table": one.name, "from": one.record["began"], "to": one.record["began"] + one.record["seconds"], "outcome": one.verdict}
        for one in sorted(run.tables, key=lambda one: (one.record.get("began", 0), one.name))
        if "began" in one.record and one.record["outcome"] in {"done", "failed"}
    ]
    if not rows:
        return ""
    chart = (
        _chart(rows)
        .mark_bar(height=12, cornerRadius=2)
        .encode(
            x=alt.X("from:Q").title("seconds").axis(tickCount=8),
            x2="to:Q",
            y=alt.Y("table:N").sort(None).title(None),
            color=_by_verdict("outcome"),
        )
        .properties(width=520, height=alt.Step(20))
    )
    longest, end = max(run.tables, key=lambda one: float(one.record["seconds"])), max(one["to"] for one in rows)
    took = f"the longest, {longest.name}, took {longest.record['seconds']:.1f} of {end:.0f} s"
    return _svg(chart, f"When each table was worked on; {took}.", _NAMES)


def history(moments: Sequence[Moment]) -> str:
    """Draw what a check measured in one run after another; empty where there is nothing to compare."""
    if len(moments) < 2:  # noqa: PLR2004 - one point is no line
        return ""
    rows = [{"run": i, "value": one.value, "outcome": one.outcome} for i, one in enumerate(moments)]
    base = _chart(rows).encode(
        x=alt.X("run:Q").axis(None).scale(nice=False, padding=4),
        y=alt.Y("value:Q").axis(None).scale(zero=False, padding=4),
    )
    outcomes = {"pass": "good", "warn": "care", "fail": "bad", "error": "bad"}
    points = base.mark_point(filled=True, size=22, opacity=1).encode(
        color=alt.Color("outcome:N").scale(domain=list(outcomes), range=[f"var(--{one})" for one in outcomes.values()]).legend(None)
    )
    chart = (base.mark_line(color="var(--quiet)", strokeWidth=1.2) + points).properties(width=120, height=26)
    return _svg(chart, f"{len(moments)} runs, from {moments[0].value:,.6g} to {moments[-1].value:,.6g}.")


def graph(run: RunFacts) -> str:
    """Draw which table is made of which; of a large project those that are not simply as they were, and what they read."""
    names = [one.name for one in run.tables]
    if len(names) > _MOST_NODES:
        marked = {one.name for one in run.tables if one.verdict != "good"}
        marked |= {one for one, below in run.edges if below in marked}
        names = [name for name in names if name in marked][:_MOST_NODES]
    edges = [edge for edge in run.edges if set(edge) <= set(names)]
    if not edges:
        return ""
    places, ways = arranged(names, edges)
    verdicts = {one.name: one.verdict for one in run.tables}
    boxes = [
        {
            "name": name,
            "x": x * _COLUMN,
            "x2": x * _COLUMN + _BOX,
            "y": y * _ROW,
            "y2": y * _ROW + 20,
            "tx": x * _COLUMN + 8,
            "ty": y * _ROW + 10,
            "verdict": verdicts[name],
        }
        for name, (x, y) in places.items()
    ]
    lines = [
        {"edge": f"{one} {other}", "x": px, "y": py * _ROW + 10, "order": i}
        for (one, other), way in ways.items()
        for i, (px, py) in enumerate(_bends(way))
    ]
    width = max(column for column, _ in places.values()) * _COLUMN + _BOX
    height = max(row for _, row in places.values()) * _ROW + 20

    across, down = _pixels(alt.X, width), _pixels(alt.Y, height)
    edges_drawn = (
        _chart(lines)
        .mark_line(interpolate="monotone", color="var(--quiet)", strokeWidth=1)
        .encode(x=across("x"), y=down("y"), detail="edge:N", order="order:Q")
    )
    drawn = (
        _chart(boxes)
        .mark_rect(cornerRadius=4, fill="var(--card)", strokeWidth=1.6)
        .encode(x=across("x"), y=down("y"), x2="x2:Q", y2="y2:Q", stroke=_by_verdict("verdict", alt.Stroke))
    )
    texts = (
        _chart(boxes)
        .mark_text(align="left", baseline="middle", fontSize=11, color="var(--ink)", limit=_BOX - 14)
        .encode(x=across("tx"), y=down("ty"), text="name:N")
    )
    made_of = {name: [one for one, other in edges if other == name] for name in names}
    said = "; ".join(f"{name} is made of {', '.join(above)}" for name, above in made_of.items() if above)
    return _svg((edges_drawn + drawn + texts).properties(width=width, height=height), f"{said}.")


def _pixels(axis: Any, end: float) -> Callable[[str], Any]:
    """Return what places a mark at a pixel, without an axis."""
    scale = alt.Scale(domain=[0, end], range=[0, end], nice=False)
    return lambda name: axis(f"{name}:Q").scale(scale).axis(None)


def arranged(
    names: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[dict[str, tuple[int, float]], dict[tuple[str, str], list[tuple[int, float]]]]:
    """Return the column and row of each node, and the places that each edge goes through.

    Nodes stand right of all that they are made of; in a column they follow the middle of their neighbours, which keeps most
    edges from crossing (Sugiyama, Tagawa and Toda 1981).

    >>> places, ways = arranged(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    >>> {name: column for name, (column, _) in places.items()}
    {'a': 0, 'b': 1, 'c': 2}
    >>> [column for column, _ in ways["a", "c"]]
    [0, 1, 2]
    """
    above: dict[str, list[str]] = {name: [one for one, other in edges if other == name] for name in names}
    depth: dict[str, int] = {}
    for name in TopologicalSorter(above).static_order():
        depth[name] = max((depth[one] + 1 for one in above[name]), default=0)
    columns: list[list[Any]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in names:
        columns[depth[name]].append(name)
    links: list[tuple[Any, Any]] = []
    ways: dict[tuple[str, str], list[Any]] = {}
    for one, other in edges:
        between = [(one, other, i) for i in range(depth[one] + 1, depth[other])]
        for stop in between:
            columns[stop[2]].append(stop)
        ways[one, other] = [one, *between, other]
        links += zip([one, *between], [*between, other], strict=True)
    for sweep in range(8):
        _follow(columns if sweep % 2 == 0 else columns[::-1], links if sweep % 2 == 0 else [(b, a) for a, b in links])
    rows = _rows(columns)
    at = {node: (i, rows[node]) for i, column in enumerate(columns) for node in column}
    return {name: at[name] for name in names}, {edge: [at[node] for node in way] for edge, way in ways.items()}


def _follow(columns: list[list[Any]], links: Sequence[tuple[Any, Any]]) -> None:
    """Order each column by the middle of its neighbours in the one before."""
    for left, right in pairwise(columns):
        places = {node: i for i, node in enumerate(left)}
        before = {node: [places[a] for a, b in links if b == node and a in places] for node in right}
        own = {node: i for i, node in enumerate(right)}
        right.sort(key=lambda node: sum(before[node]) / len(before[node]) if before[node] else own[node])


def _rows(columns: list[list[Any]]) -> dict[Any, float]:
    """Return each node's row; short columns stand in the middle of the longest."""
    tallest = max(len(column) for column in columns)
    return {node: i + (tallest - len(column)) / 2 for column in columns for i, node in enumerate(column)}


def _bends(way: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return the points that an edge is drawn through: from a box's right side to the next one's left, past those between."""
    first, last = way[0], way[-1]
    points: list[tuple[float, float]] = []
    points.append((first[0] * _COLUMN + _BOX, first[1]))
    for column, row in way[1:-1]:
        points += [(column * _COLUMN, row), (column * _COLUMN + _BOX, row)]
    points.append((last[0] * _COLUMN, last[1]))
    return points


def _by_verdict(name: str, channel: Any = alt.Color) -> Any:
    verdicts = ["good", "care", "old", "bad"]
    return channel(f"{name}:N").scale(domain=verdicts, range=[f"var(--{one})" for one in verdicts]).legend(None)


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=rows))  # type: ignore[no-untyped-call]


def _svg(chart: alt.Chart | alt.LayerChart, said: str, padding: Any = 4) -> str:
    """Return a chart as SVG that fits its place, with words for who cannot see it."""
    ready = (
        chart.configure(background="transparent", font="system-ui, sans-serif", padding=padding)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor="var(--ink)", titleColor="var(--quiet)", gridColor="var(--line)", domainColor="var(--line)", tickColor="var(--line)",
            labelFontSize=11, titleFontSize=11, titleFontWeight="normal", labelLimit=260,
        )
    )  # fmt: skip
    drawn = str(vl_convert.vegalite_to_svg(ready.to_dict()))
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', drawn)
    wide = float(size.group(1)) if size else 0
    # One picture to a screen reader: the page has the numbers as text.
    inner = re.sub(r' (role|aria-[a-z]+)="[^"]*"', "", drawn)
    label = said.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return inner.replace("<svg ", f'<svg role="img" aria-label="{label}" style="max-width:{wide:.0f}px" ', 1)
