"""What may be asked of a whole table after it was written? A part of SodaCL, one line a check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from framework.spec.grammar import CodedError
from framework.spec.problem import nearest

METRICS = {
    "row_count": range(1),
    "missing_count": range(1, 2),
    "missing_percent": range(1, 2),
    "duplicate_count": range(1, 10),
    "duplicate_percent": range(1, 10),
    "freshness": range(1, 2),
    "avg": range(1, 2),
    "sum": range(1, 2),
    "min": range(1, 2),
    "max": range(1, 2),
    "stddev": range(1, 2),
    "avg_length": range(1, 2),
    "min_length": range(1, 2),
    "max_length": range(1, 2),
}
"""The measures there are, and how many columns each takes."""

NUMERIC = {"avg", "sum", "stddev"}

_CHECK = re.compile(
    r"(?P<metric>\w+)\s*(?:\(\s*(?P<columns>[^()]*?)\s*\))?"
    r"(?:\s+by\s+(?P<by>[\w`, ]+?))?"
    r"\s*(?P<operator><=|>=|!=|<|>|=|\bbetween\b)\s*(?P<threshold>.+)"
)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_SPAN = re.compile(r"([0-9]+[dhm])+")
_OTHER = re.compile(r"(?P<table>[^\s().]+)\.(?P<column>[^\s().]+)")
_RANGE = re.compile(r"(?P<low>\S+)\s+and\s+(?P<high>\S+)")


@dataclass(frozen=True)
class Asked:
    """A check in its parts."""

    metric: str
    columns: tuple[str, ...]
    by: tuple[str, ...]
    operator: str
    threshold: str
    other: tuple[str, str] | None = None
    """Table and column whose own measure is the threshold."""


def asked(text: str) -> Asked:
    """Return the parts of a check.

    >>> asked("duplicate_count(a, b) = 0").columns, asked("sum(x) by y = sum(t.x)").other
    (('a', 'b'), ('t', 'x'))

    Raises:
        CodedError: the text is no check.
    """
    found = _CHECK.fullmatch(text.strip())
    if found is None:
        raise _invalid(text, "a check is a measure, a comparison and a threshold, such as `row_count > 0`")
    metric, columns = found["metric"], _listed(found["columns"])
    if metric not in METRICS:
        raise CodedError(
            "invalid-quality", f'There is no measure "{metric}".', nearest(metric, METRICS, f"Known here: {', '.join(METRICS)}.")
        )
    if len(columns) not in METRICS[metric]:
        words = {range(1): "no column", range(1, 2): "one column"}
        raise _invalid(text, f"`{metric}` takes {words.get(METRICS[metric], 'columns')}")
    threshold = found["threshold"].strip()
    other = _threshold(text, metric, found["operator"], threshold)
    return Asked(metric, columns, _listed(found["by"]), found["operator"], threshold, other)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip().strip("`") for part in (text or "").split(",") if part.strip())


def _threshold(text: str, metric: str, operator: str, threshold: str) -> tuple[str, str] | None:
    call = re.fullmatch(rf"{metric}\s*\(\s*{_OTHER.pattern}\s*\)", threshold)
    if call:
        return call["table"], call["column"]
    bounds = _RANGE.fullmatch(threshold) if operator == "between" else None
    if operator == "between" and bounds is None:
        raise _invalid(text, "`between` takes a lower and an upper bound: `between 1 and 9`")
    parts = [bounds["low"], bounds["high"]] if bounds else [threshold]
    for part in parts:
        _bound(text, metric, operator, part)
    if bounds and _NUMBER.fullmatch(parts[0]) and _NUMBER.fullmatch(parts[1]) and float(parts[0]) > float(parts[1]):
        raise CodedError("rule-always-fails", f"Nothing lies between {parts[0]} and {parts[1]}.", "write the lower bound first.")
    return None


_NEVER_NEGATIVE = re.compile(r".*_count|.*_percent|row_count|.*_length")


def _bound(text: str, metric: str, operator: str, bound: str) -> None:
    if metric == "freshness":
        if not _SPAN.fullmatch(bound):
            raise _invalid(text, "`freshness` is compared with a span of time such as `7d`, `12h` or `1d12h`")
        return
    number = re.sub(r"\s*%$", "", bound)
    if not _NUMBER.fullmatch(number):
        raise _invalid(text, f'"{bound}" is no number')
    if bound.endswith("%") and not metric.endswith("_percent"):
        raise _invalid(text, f"`{metric}` is no percentage")
    value = float(number)
    if not _NEVER_NEGATIVE.fullmatch(metric):
        return
    most = 100.0 if metric.endswith("_percent") else float("inf")
    never = {"<": value > most, "<=": value >= most, ">": value < 0, ">=": value <= 0, "!=": value < 0 or value > most}
    always = {"<": value <= 0, "<=": value < 0, ">": value >= most, ">=": value > most, "=": value < 0 or value > most}
    if never.get(operator):
        raise CodedError("rule-never-fails", f"`{text}` holds for every table.", "write a bound that a table can break.")
    if always.get(operator):
        raise CodedError("rule-always-fails", f"`{text}` holds for no table.", "write a bound that a table can keep.")


def _invalid(text: str, why: str) -> CodedError:
    return CodedError("invalid-quality", f"`{text}` cannot be understood: {why}.", "write a check such as `missing_percent(mail) < 5 %`.")


def _is_check(text: str) -> str:
    asked(text)
    return text


QualityCheck = Annotated[str, AfterValidator(_is_check)]
