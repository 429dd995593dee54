"""How are rows labelled on their way through a table, so that every one of them is accounted for?

Each row carries an outcome (kept, duplicate, quarantined, dropped) and its reasons; `Labelled` counts them where
they pass, at no extra cost, and `conserved` says whether the counts add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from pyspark.sql import Observation
from pyspark.sql import functions as F

from framework.spec.names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import Column, DataFrame

    from framework.spec.rules import Rule

OUTCOME, REASONS, RAW, ORDER, ALL, SHIFTED = "__outcome", "__reasons", "__raw_", "__order_", "__all", "__shifted"
SOURCE, AT = "__source", "__at"
"""Which of several sources a row is from, and its place in the array it was exploded from."""

BROKEN = "__broken"
"""The names of all rules that a row breaks, whatever follows from them."""

OWN, STAYS = "__own_", "__stays"
"""A value before another row filled it, and whether later rows have to be held against a row: it is the first of its
key, or the first of them that has a value to fill in."""

KEPT, DUPLICATE, QUARANTINED, DROPPED = "kept", "duplicate", "quarantined", "dropped"
EMPTIED = "emptied"
"""A group that has lost its last row: known while its table is brought up to date, and no row of any table."""
OUTCOMES = (KEPT, DUPLICATE, QUARANTINED, DROPPED)
KEY = "_key"
"""A struct beside each quarantined row: which part of its table it would belong to."""
_SEVERAL = 2
"""Unreadable values in one row from which on its fields may be shifted."""
REASONS_TYPE = "array<struct<rule: string, column: string, message: string>>"


@dataclass(frozen=True)
class Counts:
    """Where a table's rows went in one run."""

    read: int
    kept: int
    duplicate: int = 0
    quarantined: int = 0
    dropped: int = 0
    by_rule: dict[str, int] = field(default_factory=dict)
    grouped: int | None = None
    shifted: int = 0
    """Rows with several values that cannot be read as their types: a field may be missing, or one too many."""

    @property
    def conserved(self) -> bool:
        """Tell whether every row read is accounted for."""
        return self.read == self.accounted

    @property
    def passed(self) -> int:
        """Return how many rows went on into the table, or into its groups."""
        return self.kept if self.grouped is None else self.grouped

    @property
    def accounted(self) -> int:
        """Return how many rows are known to have gone somewhere."""
        return self.passed + self.duplicate + self.quarantined + self.dropped


class Metrics:
    """Numbers about rows that are counted while these pass on their way to storage."""

    def __init__(self, rows: DataFrame, *columns: Column, anew: Sequence[Column] = ()) -> None:
        """Attach the counting to `rows`; go on with `self.rows`. `anew` is asked beside them in a query of their own."""
        self._unobserved, self._columns, self._anew = rows, columns, anew
        self._observation = Observation()
        self.rows = rows.observe(self._observation, *columns)

    def values(self) -> dict[str, int]:
        """Return the numbers by name; only after the rows were written."""
        try:
            found = dict(self._observation.get)
        except Exception:  # noqa: BLE001 - Java's own assertion; what is really wrong comes up when the rows are asked again
            found = {}
        # Spark leaves the counting out where it proves that a part of the plan yields nothing, as a join with no rows,
        # and in writes to a catalog of another kind.
        return found or self._unobserved.agg(*self._columns, *self._anew).collect()[0].asDict()


@dataclass(frozen=True)
class Labelled:
    """A table's rows with outcome and reasons, and the counts that fill while the rows are written."""

    rows: DataFrame
    columns: tuple[str, ...]
    rules: tuple[Rule, ...]
    read: tuple[Metrics, ...]
    broken: Metrics
    outcomes: Metrics

    def counts(self) -> Counts:
        """Return the counts; only after the rows were written."""
        by_rule = self.broken.values()
        outcomes = self.outcomes.values()
        dropped = by_rule.pop(DROPPED, None)
        grouped = by_rule.pop("grouped", None)
        shifted = by_rule.pop(SHIFTED, None)
        by_rule.pop(ALL, None)
        return Counts(
            read=sum(one.values()["rows"] for one in self.read),
            kept=outcomes[KEPT],
            duplicate=outcomes[DUPLICATE],
            quarantined=outcomes[QUARANTINED],
            dropped=outcomes[DROPPED] if dropped is None else dropped,
            by_rule={name: count for name, count in by_rule.items() if count},
            grouped=grouped,
            shifted=shifted or 0,
        )

    def kept(self, written: DataFrame) -> DataFrame:
        """Return the kept rows of `rows` as they were written."""
        return written.where(F.col(OUTCOME) == KEPT).select(*map(quoted, self.columns))

    def quarantined(self, written: DataFrame, scope: Sequence[str] = ()) -> DataFrame:
        """Return the quarantined rows: the source's values untouched, all reasons, and in `_key` the columns of the scope."""
        raw = [F.col(quoted(name)).alias(name.removeprefix(RAW)) for name in written.columns if name.startswith(RAW)]
        key = [F.struct(*map(quoted, scope)).alias(KEY)] if scope else []
        return written.where(F.col(OUTCOME) == QUARANTINED).select(*raw, *key, F.col(REASONS).alias("_reasons"))

    def best(self, written: DataFrame) -> DataFrame:
        """Return the rows that later ones have to be held against, each with its own values; see `transforms/dedupe.py`."""
        own = {name.removeprefix(OWN): F.col(quoted(name)) for name in written.columns if name.startswith(OWN)}
        beside = [quoted(name) for name in written.columns if name in {AT, SOURCE} or name.startswith(ORDER)]
        rows = written.where(STAYS)
        return (rows.withColumns(own) if own else rows).select(*map(quoted, self.columns), *beside)


def counted(rows: DataFrame) -> Metrics:
    """Return the count of the rows, as `rows`."""
    return Metrics(rows, F.count(F.lit(1)).alias("rows"))


def any_of(flags: Iterable[Column]) -> Column:
    """Return a Column that is true where one of `flags` is."""
    return reduce(or_, flags, F.lit(False))


def broken(rules: Sequence[Rule], *otherwise: str) -> Column:
    """Return a Column that is true where a row breaks a rule with one of these consequences."""
    return any_of(F.col(quoted(rule.flag)) for rule in rules if rule.otherwise in otherwise)


def outcome(rules: Sequence[Rule]) -> Column:
    """Return what becomes of a row by its broken rules; who is left out on purpose is not quarantined."""
    return F.when(broken(rules, "drop"), DROPPED).when(broken(rules, "quarantine"), QUARANTINED).otherwise(KEPT)


def reasons(rules: Sequence[Rule]) -> Column:
    """Return every reason for which a row is quarantined."""
    told = [
        F.when(
            F.col(quoted(rule.flag)),
            F.struct(
                F.lit(rule.name).alias("rule"), F.lit(rule.column).cast("string").alias("column"), F.lit(rule.message).alias("message")
            ),
        )
        for rule in rules
        if rule.otherwise == "quarantine"
    ]
    everything = F.filter(F.array(*told), lambda reason: reason.isNotNull()) if told else F.lit(None)
    return F.when(F.col(OUTCOME) == QUARANTINED, everything).cast(REASONS_TYPE)


def rule_counts(rules: Sequence[Rule]) -> list[Column]:
    """Return one count for each rule: the rows that break it; of those left out on purpose only what left them out.

    And one for the rows of which several values cannot be read.
    """
    told = [(rule, quoted(rule.flag)) for rule in rules]
    sql = [(rule, flag if rule.otherwise == "drop" else f"{flag} and {OUTCOME} <> '{DROPPED}'") for rule, flag in told]
    counts = [F.expr(f"count_if({condition})").alias(rule.name) for rule, condition in sql]
    unreadable = [f"cast({quoted(rule.flag)} as int)" for rule in rules if rule.kind == "readable"]
    if len(unreadable) >= _SEVERAL:
        counts.append(F.expr(f"count_if({' + '.join(unreadable)} >= {_SEVERAL})").alias(SHIFTED))
    return counts


def outcome_counts() -> list[Column]:
    """Return one count for each outcome."""
    return [F.count_if(F.col(OUTCOME) == name).alias(name) for name in OUTCOMES]
