"""How is one table brought up to date: worked out, counted, and put in place?

The parts that changes of its inputs touch are worked out again, each of them whole; where that cannot be told, the whole
table is. Either way its rows wait beside the table until their counts add up, and go in with one commit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from framework.plan.build import inputs_of
from framework.plan.steps import Built
from framework.refresh.publish import MustBeWholeError, add, forget_best, is_fit, keep_best, publish
from framework.refresh.work import is_gone, needed_work, whole_work
from framework.spec.examine.around import outline_of
from framework.spec.names import quoted
from framework.spec.problem import RunError
from framework.transforms.table import labelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame

    from framework.plan.steps import RefreshTable
    from framework.refresh.place import Place
    from framework.refresh.work import Work
    from framework.transforms.rows import Counts, Labelled


@dataclass(frozen=True)
class Refreshed:
    """What became of a table: no `counts` where nothing had to be worked out, a `refusal` where nothing was committed."""

    how: str
    inputs: dict[str, int]
    counts: Counts | None = None
    refusal: str | None = None


def refresh(place: Place, step: RefreshTable, judge: Callable[[Counts], str | None]) -> Refreshed:
    """Bring a table up to date; `judge` tells from the counts why the rows may not be committed.

    Raises:
        RunError: an input is missing.
    """
    table, before = place.project.tables[step.table], place.state.built(step.table)
    versions = {one: place.version(one) for one in inputs_of(place.project, step.table)}
    missing = [one for one, version in versions.items() if version < 0]
    if missing:
        raise RunError(f"{', '.join(missing)} does not exist yet; run the layer before, or `all`.")
    whole = _Job(place, step.table, whole_work(place, table), versions, before, judge)
    # A run that was killed between the two commits has left a quarantine that the table knows nothing of.
    if step.is_whole or before is None or before.quarantine_version != place.version(f"{step.table}_quarantine"):
        return _worked_out(whole)
    if versions == before.inputs:
        return Refreshed("none of its inputs changed after all", versions)
    try:
        work = needed_work(place, table, before, versions)
        if work is None:
            place.state.write_built(step.table, replace(before, inputs=versions))
            return Refreshed("no row of it is touched", versions)
        return _worked_out(replace(whole, work=work))
    except Exception as error:
        if not isinstance(error, MustBeWholeError) and not is_gone(error):
            raise
        return _worked_out(whole)


@dataclass(frozen=True)
class _Job:
    """One refresh: what is worked out, from which versions, after what."""

    place: Place
    name: str
    work: Work
    versions: dict[str, int]
    before: Built | None
    judge: Callable[[Counts], str | None]


def _worked_out(job: _Job) -> Refreshed:
    place, name, work = job.place, job.name, job.work
    table = place.project.tables[name]
    result = labelled(table, place.inputs(table), work.part, keep_best=work.keep_best)
    if not work.is_whole and not is_fit(place, name, work, result):
        raise MustBeWholeError
    # Rows wait beside the table until their counts add up; only then are they committed.
    written = place.staging.write(name, result.rows)
    if work.part.added:
        job = replace(job, work=replace(work, touched=written.select(*map(quoted, work.scope))))
    counts = result.counts()
    if any(one.values()["went"] for one in work.went):
        raise MustBeWholeError
    refusal = job.judge(counts)
    if refusal is None:
        _put_in_place(job, result, counts, written)
    place.staging.clear(name)
    return Refreshed("whole" if work.is_whole else "what changed", job.versions, counts, refusal)


def _put_in_place(job: _Job, result: Labelled, counts: Counts, written: DataFrame) -> None:
    """Commit the quarantined rows, then the kept ones, and remember from what the table is made."""
    place, name, work = job.place, job.name, job.work
    contract_hash = place.project.contract_hash(name)
    before = job.before if job.before and job.before.contract_hash == contract_hash else None
    best = keep_best(place, name, result.best(written)) if work.keep_best else ""
    quarantined, by_rule = _quarantine(job, before, result, counts, written)
    published = publish(place, name, result.kept(written), work, known=before.rows if before else None)
    version = place.version(name)
    built = Built(
        contract_hash,
        job.versions,
        version,
        quarantined=quarantined,
        by_rule=by_rule,
        quarantine_version=place.version(f"{name}_quarantine"),
        columns=outline_of(place.project.tables[name]).columns,
        replaced=version if before is None else before.replaced,
        rewritten=version if published.is_replaced or before is None else before.rewritten,
        best=best,
        rows=before.rows + published.comes - published.goes if before and work.touched is not None else counts.kept,
    )
    place.state.write_built(name, built)
    forget_best(place, name, but=best)


def _quarantine(job: _Job, before: Built | None, result: Labelled, counts: Counts, written: DataFrame) -> tuple[int, dict[str, int]]:
    """Bring the quarantine up to date and return how many rows it holds, and how many of them break which rule."""
    place, work, name = job.place, job.work, f"{job.name}_quarantine"
    held, by_rule = (before.quarantined, before.by_rule) if before else (0, {})
    rules = [rule.name for rule in result.rules if rule.otherwise == "quarantine"]
    found = {rule: counts.by_rule[rule] for rule in rules if counts.by_rule.get(rule)}
    is_there = held or (before is None and place.tables.version(name) is not None)
    if not counts.quarantined and not is_there:
        return 0, {}
    rows = result.quarantined(written, work.scope)
    if work.part.best is not None:
        if counts.quarantined:
            add(place, name, rows)
        return held + counts.quarantined, _added(by_rule, found)
    published = publish(place, name, rows, work, known=held if before else None, rules=rules)
    if published.is_replaced or work.touched is None:
        return counts.quarantined, found
    return held + published.comes - published.goes, _added(by_rule, published.more_by_rule)


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    sums = {rule: one.get(rule, 0) + other.get(rule, 0) for rule in (*one, *other)}
    return {rule: count for rule, count in sums.items() if count}
