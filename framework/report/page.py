"""How does a run's page look? One file that needs nothing beside it, and asks no network for anything."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from framework.report.charts import flow, graph, history, timings

if TYPE_CHECKING:
    from framework.report.facts import RunFacts

VERDICTS = {"good": "may be used", "care": "may be used, with care", "old": "as before", "bad": "not to be used"}
FATES = {
    "quarantine": "quarantined",
    "drop": "left out",
    "set_null": "value emptied",
    "warn": "warned",
    "fail": "failed the table",
}


def page_of(run: RunFacts) -> str:
    """Return the page as HTML."""
    around = Environment(
        loader=PackageLoader("framework.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    around.filters |= {"number": _number, "share": _share, "moment": _moment, "duration": _duration, "value": _value, "coded": _coded}
    return around.get_template("page.html").render(
        run=run,
        verdicts=VERDICTS,
        fates=FATES,
        flow=flow(run),
        timings=timings(run),
        graph=graph(run),
        history=history,
        loud=[one for one in run.tables if not one.is_quiet],
    )


def _coded(text: str) -> Markup:
    """Return text in which what stands in backticks is code.

    >>> _coded("run `a < b`")
    Markup('run <code>a &lt; b</code>')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - it was escaped before


def _number(count: int) -> str:
    return f"{count:,}"


def _share(part: int, whole: int) -> str:
    """Return a share in percent, never 0 where there is something.

    >>> _share(1, 1_000_000), _share(1, 3), _share(0, 3)
    ('< 0.01 %', '33.33 %', '')
    """
    if not part or not whole:
        return ""
    percent = 100 * part / whole
    return "< 0.01 %" if percent < 0.01 else f"{percent:.2f} %"  # noqa: PLR2004 - what the format can show


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"


def _duration(seconds: float) -> str:
    """Return how long something took.

    >>> _duration(4.23), _duration(252)
    ('4.2 s', '0:04:12')
    """
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))  # noqa: PLR2004 - a minute


def _value(value: Any) -> str:
    return "" if value is None else f"{value:,.6g}"
