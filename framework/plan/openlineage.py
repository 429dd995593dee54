"""What is told of a run in the OpenLineage format? https://openlineage.io/docs/spec/object-model

Tables are jobs and datasets of one name. Where columns come from is told from the contracts, not from what Spark planned, so it
is the same where a run found nothing to do for a table's input. The checks on a table are a job of their own that reads it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

from framework import __version__
from framework.spec.facts import AGGREGATED, DERIVED, SAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from framework.spec.project import Project

PRODUCER = f"urn:lakepact:{__version__}"
_SUBTYPES = {SAME: "IDENTITY", DERIVED: "TRANSFORMATION", AGGREGATED: "AGGREGATION"}
_ENDS = {"done": RunState.COMPLETE, "unchanged": RunState.COMPLETE, "failed": RunState.FAIL, "skipped": RunState.ABORT}


def events_of(record: Mapping[str, Any], project: Project, namespace: str) -> Iterator[RunEvent]:
    """Yield the events of a run: its own beginning, each table's beginning and end with its checks, its own end.

    A table that needed nothing is not told of.
    """
    telling = _Telling(record, project, namespace)
    yield telling.of_run(RunState.START)
    for one in record["tables"]:
        if one["table"] in project.tables and (one["outcome"] != "unchanged" or one.get("checks")):
            yield from telling.of_table(one)
    yield telling.of_run(RunState.COMPLETE if record["outcome"] == "done" else RunState.FAIL)


class _Telling:
    """Makes the events of one run."""

    def __init__(self, record: Mapping[str, Any], project: Project, namespace: str) -> None:
        self.record, self.project, self.namespace, self.lineage = record, project, namespace, project.lineage
        self.started = datetime.fromisoformat(record["started"])
        self.job = Job(namespace, f"run_{record['layer']}", {"jobType": _type("RUN")})

    def _run(self, name: str) -> Run:
        """Return the run of a job; the same each time that the same is told."""
        id_ = str(uuid5(NAMESPACE_URL, f"{self.namespace}/{self.record['run_id']}/{name}"))
        engine = facets.processing_engine_run.ProcessingEngineRunFacet(version=__version__, name="Lakepact", producer=PRODUCER)
        return Run(id_, {"processing_engine": engine})

    def of_run(self, state: RunState) -> RunEvent:
        """Return an event of the whole run."""
        at = self.started if state is RunState.START else self.started + timedelta(seconds=float(self.record["seconds"]))
        return RunEvent(eventTime=at.isoformat(), producer=PRODUCER, run=self._run(""), job=self.job, eventType=state)

    def of_table(self, one: Mapping[str, Any]) -> Iterator[RunEvent]:
        """Yield the events of a table, and of the checks on it."""
        name = one["table"]
        table = self.project.tables[name]
        begin = self.started + timedelta(seconds=float(one.get("began", 0)))
        end = begin + timedelta(seconds=float(one["seconds"]))
        if one["outcome"] != "unchanged":
            inputs = [self._input(other) for other in self.project.facts[name].inputs if other in self.project.tables]
            outputs = [OutputDataset(self.namespace, name, facets=self._facets(name, one.get("version")), outputFacets=self._counts(one))]
            job = Job(
                self.namespace,
                name,
                {
                    "jobType": _type("TABLE"),
                    "documentation": facets.documentation_job.DocumentationJobFacet(table.description, producer=PRODUCER),
                    "ownership": facets.ownership_job.OwnershipJobFacet(
                        [facets.ownership_job.Owner(table.owner, "OWNER")], producer=PRODUCER
                    ),
                },
            )
            why = one["reason"] if one["outcome"] in {"failed", "skipped"} else ""
            # What is written and fails its checks has been made; that it may not be used is told by the checks.
            is_written = bool(one.get("failing"))
            state = RunState.COMPLETE if is_written else _ENDS[one["outcome"]]
            yield self._event(job, begin, RunState.START, inputs, outputs)
            yield self._event(job, end, state, inputs, outputs, "" if is_written else why)
        if one.get("checks"):
            job = Job(self.namespace, f"{name}.checks", {"jobType": _type("CHECKS")})
            checked = [
                InputDataset(self.namespace, name, facets=self._facets(name, one.get("version")), inputFacets=_assertions(one["checks"]))
            ]
            is_failed = any(check["outcome"] in {"fail", "error"} for check in one["checks"])
            yield self._event(job, end, RunState.START, checked, [])
            yield self._event(job, end, RunState.FAIL if is_failed else RunState.COMPLETE, checked, [])

    def _event(  # noqa: PLR0913, PLR0917 - what an event says
        self,
        job: Job,
        at: datetime,
        state: RunState,
        inputs: list[InputDataset],
        outputs: list[OutputDataset],
        why: str = "",
    ) -> RunEvent:
        run, parent = self._run(job.name), facets.parent_run
        run.facets = (run.facets or {}) | {
            "parent": parent.ParentRunFacet(
                parent.Run(self._run("").runId), parent.Job(self.job.namespace, self.job.name), producer=PRODUCER
            )
        }
        if why:
            run.facets["errorMessage"] = facets.error_message_run.ErrorMessageRunFacet(why, "SQL", producer=PRODUCER)
        return RunEvent(eventTime=at.isoformat(), producer=PRODUCER, run=run, job=job, eventType=state, inputs=inputs, outputs=outputs)

    def _input(self, name: str) -> InputDataset:
        return InputDataset(self.namespace, name, facets={"schema": self._schema(name)})

    def _facets(self, name: str, version: int | None) -> dict[str, Any]:
        """Return what is told of a table: its columns, where they come from, what it is, whose it is, its version."""
        table = self.project.tables[name]
        found: dict[str, Any] = {
            "schema": self._schema(name),
            "columnLineage": self._columns(name),
            "documentation": facets.documentation_dataset.DocumentationDatasetFacet(table.description, producer=PRODUCER),
            "ownership": facets.ownership_dataset.OwnershipDatasetFacet(
                [facets.ownership_dataset.Owner(table.owner, "OWNER")], producer=PRODUCER
            ),
        }
        if version is not None:
            found["version"] = facets.dataset_version_dataset.DatasetVersionDatasetFacet(str(version), producer=PRODUCER)
        return found

    def _schema(self, name: str) -> Any:
        described = {column.name.lower(): column.description for column in self.project.tables[name].all_columns}
        fields = [
            facets.schema_dataset.SchemaDatasetFacetFields(column.name, column.type, described.get(key) or None)
            for key, column in self.project.facts[name].columns.items()
        ]
        return facets.schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER)

    def _columns(self, name: str) -> Any:
        told = facets.column_lineage_dataset
        fields = {}
        for column in self.project.facts[name].columns.values():
            origins = [one for one in column.origins if one.table in self.project.tables]
            if origins:
                fields[column.name] = told.Fields(
                    [
                        told.InputField(
                            self.namespace,
                            one.table,
                            self.lineage.name((one.table, one.column)).partition(".")[2],
                            [told.Transformation("DIRECT", _SUBTYPES[one.how], column.by or None, masking=bool(column.declassified))],
                        )
                        for one in origins
                    ]
                )
        return told.ColumnLineageDatasetFacet(fields, producer=PRODUCER)

    def _counts(self, one: Mapping[str, Any]) -> dict[str, Any]:
        if one["outcome"] != "done":
            return {}
        return {"outputStatistics": facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=int(one["kept"]), producer=PRODUCER
        )}  # fmt: skip


def _type(kind: str) -> Any:
    return facets.job_type_job.JobTypeJobFacet("BATCH", "LAKEPACT", kind, producer=PRODUCER)


def _assertions(checks: list[Mapping[str, Any]]) -> dict[str, Any]:
    told = facets.data_quality_assertions_dataset
    made = [
        told.Assertion(
            check["check"],
            check["outcome"] == "pass",
            severity="error" if check["otherwise"] == "fail" else "warn",
            actual=None if check["value"] is None else f"{check['value']:g}",
        )
        for check in checks
        if check["outcome"] != "not made"
    ]
    return {"dataQualityAssertions": told.DataQualityAssertionsDatasetFacet(made, producer=PRODUCER)}
