"""What may be asked of a whole table after it was written? Lines that read like SodaCL, SQL, and SodaCL itself."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from framework.spec.grammar import CodedError, Name, Query, Spec
from framework.spec.problem import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

METRICS = {
    "row_count": range(1),
    "missing_count": range(1, 2),
    "missing_percent": range(1, 2),
    "duplicate_count": range(1, 10),
    "duplicate_percent": range(1, 10),
    "invalid_count": range(1, 2),
    "invalid_percent": range(1, 2),
    "freshness": range(1, 2),
    "avg": range(1, 2),
    "sum": range(1, 2),
    "min": range(1, 2),
    "max": range(1, 2),
    "stddev": range(1, 2),
    "percentile": range(1, 2),
    "avg_length": range(1, 2),
    "min_length": range(1, 2),
    "max_length": range(1, 2),
}
"""The measures there are, and how many columns each takes."""

NUMERIC = {"avg", "sum", "stddev", "percentile"}
GROUPED = {"row_count", "missing_count", "missing_percent", "avg", "sum", "min", "max", "stddev"}
"""Measures that can be asked of each group of rows, or held against the same measure of another table."""

_CHECK = re.compile(
    r"(?:change(?P<percent>\s+percent)?\s+for\s+)?(?P<metric>\w+)\s*(?:\(\s*(?P<columns>[^()]*?)\s*\))?"
    r"(?:\s+by\s+(?P<by>[\w`, ]+?))?"
    r"\s*(?P<operator><=|>=|!=|<|>|=|\bbetween\b)\s*(?P<threshold>.+)"
)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_SPAN = re.compile(r"([0-9]+[dhm])+")
_REFERENCE = re.compile(r"values in \(\s*(?P<columns>[^()]+?)\s*\) must exist in (?P<table>[^\s()]+) \(\s*(?P<others>[^()]+?)\s*\)")
_SHARE = re.compile(r"0?\.[0-9]+")
_OTHER = re.compile(r"(?P<table>[^\s().]+)\.(?P<column>[^\s().]+)")
_CALL = re.compile(r"\w+\s*\(")
_RANGE = re.compile(r"(?P<low>\S+)\s+and\s+(?P<high>\S+)")


@dataclass(frozen=True)
class Asked:
    """A check in its parts."""

    metric: str
    columns: tuple[str, ...]
    by: tuple[str, ...]
    operator: str
    threshold: str
    other: tuple[str, tuple[str, ...]] | None = None
    """Table and columns whose own measure is the threshold, or in which values must exist."""
    change: Literal["", "absolute", "percent"] = ""
    """Whether the measure's change since the last run is meant, and in what."""
    share: str = ""
    """Of a percentile: which, as in `0.95`."""


SCHEMA = "schema"
REFERENCE = "values in"


def asked(text: str) -> Asked:
    """Return the parts of a check.

    >>> asked("duplicate_count(a, b) = 0").columns, asked("sum(x) by y = sum(t.x)").other
    (('a', 'b'), ('t', ('x',)))
    >>> asked("change percent for row_count > -20").change, asked("percentile(a, 0.95) < 9").share
    ('percent', '0.95')
    >>> asked("values in (a) must exist in t (b)").other
    ('t', ('b',))

    Raises:
        CodedError: the text is no check.
    """
    text = text.strip()
    if text == SCHEMA:
        return Asked(SCHEMA, (), (), "", "")
    reference = _REFERENCE.fullmatch(text)
    if reference:
        return _reference(text, _listed(reference["columns"]), reference["table"], _listed(reference["others"]))
    found = _CHECK.fullmatch(text)
    if found is None:
        raise _invalid(text, "a check is a measure, a comparison and a threshold, such as `row_count > 0`")
    metric, columns, share = _measure(text, found["metric"], _listed(found["columns"]))
    by, threshold = _listed(found["by"]), found["threshold"].strip()
    change: Literal["", "absolute", "percent"] = ""
    if text.startswith("change"):
        change = "percent" if found["percent"] else "absolute"
    if (by or _CALL.match(threshold)) and metric not in GROUPED:
        raise _invalid(text, f"`{metric}` cannot be asked of groups, nor held against another table; {', '.join(sorted(GROUPED))} can")
    if change and (by or metric == "freshness"):
        raise _invalid(text, "a change is asked of the whole table, and of a number")
    other = _threshold(text, metric, found["operator"], threshold, is_change=bool(change))
    if other and change:
        raise _invalid(text, "a change is compared with a number")
    return Asked(metric, columns, by, found["operator"], threshold, other, change, share)


def _measure(text: str, metric: str, columns: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
    """Return a measure, its columns and the share of a percentile."""
    share = ""
    if metric not in METRICS:
        known = f"Known here: {', '.join(METRICS)}."
        raise CodedError("invalid-quality", f'There is no measure "{metric}".', nearest(metric, METRICS, known))
    if metric == "percentile" and columns and _SHARE.fullmatch(columns[-1]):
        columns, share = columns[:-1], columns[-1]
    if len(columns) not in METRICS[metric] or (metric == "percentile" and not share):
        words = {range(1): "no column", range(1, 2): "one column"}
        more = " and a share, as in `percentile(price, 0.95)`" if metric == "percentile" else ""
        raise _invalid(text, f"`{metric}` takes {words.get(METRICS[metric], 'columns')}{more}")
    return metric, columns, share


def _reference(text: str, columns: tuple[str, ...], table: str, others: tuple[str, ...]) -> Asked:
    if len(columns) != len(others):
        raise _invalid(text, "there must be as many columns on either side")
    return Asked(REFERENCE, columns, (), "", "", (table, others))


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip().strip("`") for part in (text or "").split(",") if part.strip())


def _threshold(text: str, metric: str, operator: str, threshold: str, *, is_change: bool) -> tuple[str, tuple[str, ...]] | None:
    call = re.fullmatch(rf"{metric}\s*\(\s*{_OTHER.pattern}\s*\)", threshold)
    if call:
        return call["table"], (call["column"],)
    rows = re.fullmatch(r"row_count\s*\(\s*(?P<table>[^\s().]+)\s*\)", threshold) if metric == "row_count" else None
    if rows:
        return rows["table"], ()
    bounds = _RANGE.fullmatch(threshold) if operator == "between" else None
    if operator == "between" and bounds is None:
        raise _invalid(text, "`between` takes a lower and an upper bound: `between 1 and 9`")
    parts = [bounds["low"], bounds["high"]] if bounds else [threshold]
    for part in parts:
        _bound(text, metric, operator, part, is_change=is_change)
    if bounds and _NUMBER.fullmatch(parts[0]) and _NUMBER.fullmatch(parts[1]) and float(parts[0]) > float(parts[1]):
        raise CodedError("rule-always-fails", f"Nothing lies between {parts[0]} and {parts[1]}.", "write the lower bound first.")
    return None


_NEVER_NEGATIVE = re.compile(r".*_count|.*_percent|row_count|.*_length")


def _bound(text: str, metric: str, operator: str, bound: str, *, is_change: bool) -> None:
    if metric == "freshness":
        if not _SPAN.fullmatch(bound):
            raise _invalid(text, "`freshness` is compared with a span of time such as `7d`, `12h` or `1d12h`")
        return
    number = re.sub(r"\s*%$", "", bound)
    if not _NUMBER.fullmatch(number):
        raise _invalid(text, f'"{bound}" is no number')
    if bound.endswith("%") and not metric.endswith("_percent") and not is_change:
        raise _invalid(text, f"`{metric}` is no percentage")
    value = float(number)
    if is_change or not _NEVER_NEGATIVE.fullmatch(metric):
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


class _Rule(Spec):
    """What every check on a whole table has in common."""

    otherwise: Literal["fail", "warn"] = Field(
        "fail", description="What a table that breaks the check means: `fail` stops what is made of it, `warn` is said."
    )


class Valid(Spec):
    """Which values of a column are valid, for `invalid_count` and `invalid_percent`; a null is missing, not invalid."""

    values: list[str | int | float] | None = Field(None, min_length=1, description="The values that are allowed.", alias="in")
    between: tuple[float, float] | None = Field(None, strict=False, description="The lowest and the highest value allowed.")
    matches: str | None = Field(None, min_length=1, description="A regular expression for all of the text.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Valid:
        if sum(one is not None for one in (self.values, self.between, self.matches)) != 1:
            what = "`valid` says which values there may be in one way."
            raise CodedError("invalid-value", what, "write one of `in: […]`, `between: [low, high]` and `matches: …`.")
        return self


class LineRule(_Rule):
    """One line: a measure of the table, a comparison and a threshold."""

    check: Annotated[str, AfterValidator(_is_check)] = Field(
        description="What must hold, such as `missing_percent(mail) < 5 %`.", examples=["row_count > 0", "schema"]
    )
    valid: Valid | None = Field(None, description="Which values are valid, for `invalid_count` and `invalid_percent`.")

    @model_validator(mode="after")
    def _knows_what_is_valid(self) -> LineRule:
        is_asked = asked(self.check).metric.startswith("invalid_")
        if is_asked != (self.valid is not None):
            what = f"`{self.check}` {'does not say which values are valid' if is_asked else 'asks for no invalid values'}."
            fix = "add `valid: {in: [a, b]}`, or `between` or `matches`." if is_asked else "delete `valid`."
            raise CodedError("invalid-quality", what, fix)
        return self

    @property
    def title(self) -> str:
        """Return the check as reports name it."""
        return self.check


class SqlRule(_Rule):
    """A query that returns the rows which should not be there."""

    name: Name = Field(description="The name under which the check is reported.")
    no_rows: Query = Field(description="A SELECT over this table and others, by name, that must return no row.")

    @property
    def title(self) -> str:
        """Return the check as reports name it."""
        return self.name


class SodaRule(_Rule):
    """Checks in SodaCL, for what the other forms cannot say."""

    soda: list[Any] = Field(min_length=1, description="The list that SodaCL takes below `checks for` this table, as it is.")

    @property
    def title(self) -> str:
        """Return the check as reports name it."""
        return "SodaCL"


KINDS: dict[str, type[_Rule]] = {"check": LineRule, "no_rows": SqlRule, "soda": SodaRule}


def _kind(value: Any) -> str | None:
    if isinstance(value, _Rule):
        return next(kind for kind, model in KINDS.items() if isinstance(value, model))
    return next((kind for kind in KINDS if kind in value), "check") if isinstance(value, dict) else "check"


def _as_rule(value: Any) -> Any:
    return {"check": value} if isinstance(value, str) else value


QualityRule = Annotated[
    Annotated[LineRule, Tag("check")] | Annotated[SqlRule, Tag("no_rows")] | Annotated[SodaRule, Tag("soda")],
    Discriminator(_kind),
    BeforeValidator(_as_rule, json_schema_input_type=str | dict[str, Any]),
]


_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def age_allowed(text: str) -> timedelta | None:
    """Return how old a table may be by a check; None where it is no check of that.

    >>> age_allowed("freshness(at) < 1d12h"), age_allowed("row_count > 0")
    (datetime.timedelta(days=1, seconds=43200), None)
    """
    check = asked(text)
    if check.metric != "freshness" or not check.operator.startswith("<"):
        return None
    return timedelta(**{_UNITS[unit]: int(number) for number, unit in re.findall(r"([0-9]+)([dhm])", check.threshold)})


def checks_key(rules: Iterable[LineRule | SqlRule | SodaRule]) -> str:
    """Return a hash of what is asked, so that a verdict is not taken for that of other checks."""
    return hashlib.sha256("\n".join(rule.model_dump_json() for rule in rules).encode()).hexdigest()[:16]
