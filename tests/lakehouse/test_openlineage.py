"""What catalogues of data are told of runs: in the published format, each run in the end, and never at a run's expense."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from openlineage.client.serde import Serde

from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.openlineage import send_events
from framework.plan.openlineage import events_of
from framework.spec.problem import ContractError
from framework.spec.project import Project, read_project
from tests.conftest import ROOT
from tests.lakehouse.test_alerting import RECORD, Posts, posts

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["posts"]

TABLES: Any = RECORD["tables"]
RUN: dict[str, Any] = RECORD | {
    "started": "2026-03-02T12:00:00+00:00",
    "layer": "all",
    "seconds": 30.5,
    "tables": [one | {"began": 2.0, "seconds": 3.0, "kept": 6, "version": 4} for one in TABLES],
}


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """Return the library with a file and a server that get events, after a run."""
    root = tmp_path / "library"
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / "tests/library" / part, root / part)
    (root / "metadata/openlineage.yml").write_text(
        "archive: {kind: file, path: told/events.jsonl, namespace: books}\n"
        "catalogue: {kind: http, url: {env: EVENTS_URL}, token: {env: EVENTS_KEY}, namespace: books}\n"
    )
    found = Lakehouse(read_project(root), "local")
    found.state.write_run(RUN["run_id"], RUN)
    return found


def told(project: Project, record: dict[str, Any] = RUN) -> list[dict[str, Any]]:
    """Return events as they are sent."""
    return [Serde.to_dict(event) for event in events_of(record, project, "books")]


def test_tables_begin_and_end_as_they_did(lakehouse: Lakehouse) -> None:
    found = [(one["job"]["name"], one["eventType"]) for one in told(lakehouse.project)]
    assert (
        found
        == [
            ("run_all", "START"),
            ("bronze_loans", "START"),
            ("bronze_loans", "COMPLETE"),
            ("bronze_members", "START"),
            ("bronze_members", "FAIL"),
            ("silver_loans", "START"),
            ("silver_loans", "COMPLETE"),  # it was written; that it fails its checks is told by them
            ("silver_loans.checks", "START"),
            ("silver_loans.checks", "FAIL"),
            ("gold_loans", "START"),
            ("gold_loans", "ABORT"),
            ("run_all", "FAIL"),
        ][: len(found)]
    )
    assert ("silver_loans.checks", "FAIL") in found
    assert found[-1] == ("run_all", "FAIL")


def test_an_event_says_columns_lineage_counts_checks_and_why(lakehouse: Lakehouse) -> None:
    events = {(one["job"]["name"], one["eventType"]): one for one in told(lakehouse.project)}
    loans = events["silver_loans", "COMPLETE"]["outputs"][0]
    assert {one["name"] for one in events["silver_loans", "COMPLETE"]["inputs"]} == {"bronze_loans", "silver_members"}
    declared = lakehouse.project.facts["silver_loans"].columns.values()
    assert [(one["name"], one["type"]) for one in loans["facets"]["schema"]["fields"]] == [(one.name, one.type) for one in declared]
    lineage = loans["facets"]["columnLineage"]["fields"]
    for column in declared:
        for origin in column.origins:
            if origin.table in lakehouse.project.tables:
                assert (origin.table, origin.column) in {(one["name"], one["field"].lower()) for one in lineage[column.name]["inputFields"]}
    assert loans["facets"]["version"]["datasetVersion"] == "4"
    checks = events["silver_loans.checks", "FAIL"]["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(one["assertion"], one["success"], one["severity"], one["actual"]) for one in checks] == [
        ("row_count > 9", False, "error", "6"),
        ("row_count > 8", False, "warn", "6"),
        ("row_count > 0", True, "error", "6"),
    ]
    assert events["bronze_members", "FAIL"]["run"]["facets"]["errorMessage"]["message"] == "the disk <is> full & more"
    assert events["bronze_loans", "START"]["eventTime"] == "2026-03-02T12:00:02+00:00"
    assert events["bronze_loans", "COMPLETE"]["eventTime"] == "2026-03-02T12:00:05+00:00"
    runs = {one["run"]["runId"] for one in told(lakehouse.project)}
    assert runs == {one["run"]["runId"] for one in told(lakehouse.project)}
    parents = {one["run"]["facets"]["parent"]["run"]["runId"] for one in events.values() if "parent" in one["run"]["facets"]}
    assert parents == {events["run_all", "START"]["run"]["runId"]}


def test_a_receiver_gets_each_run_in_the_end(lakehouse: Lakehouse, posts: Posts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTS_URL", "http://127.0.0.1:9/secret-path")
    monkeypatch.setenv("EVENTS_KEY", "a-secret-key")
    unsent = send_events(lakehouse)
    assert [one.receiver for one in unsent] == ["catalogue"]
    assert "secret" not in repr(unsent)
    lines = (lakehouse.project.root / "told/events.jsonl").read_text().splitlines()
    assert [json.loads(line)["job"]["name"] for line in lines] == [one["job"]["name"] for one in told(lakehouse.project)]
    # It answers again: it gets what it lacks, the file gets nothing twice.
    later = RUN | {"run_id": "20260302T130000000Z-abce"}
    lakehouse.state.write_run(later["run_id"], later)
    monkeypatch.setenv("EVENTS_URL", f"http://127.0.0.1:{posts.server_port}")
    assert send_events(lakehouse) == []
    assert [path for path, _ in posts.got] == ["/api/v1/lineage"] * len(posts.got)
    sent = [body["run"]["runId"] for _, body in posts.got]
    file = [json.loads(line)["run"]["runId"] for line in (lakehouse.project.root / "told/events.jsonl").read_text().splitlines()]
    assert len(file) == 2 * len(lines)
    assert sent == file[len(lines) :] or sent == file
    assert send_events(lakehouse) == []
    assert len(posts.got) == len(sent)


def test_a_secret_that_is_not_there_is_told_by_its_name(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENTS_URL", raising=False)
    monkeypatch.setenv("EVENTS_KEY", "a-secret-key")
    (unsent,) = send_events(lakehouse)
    assert unsent.error == "the environment variable EVENTS_URL is not set"
    assert {one.name for one in fields(unsent)} == {"receiver", "error"}


def test_validate_finds_a_mistake_in_a_receiver(lakehouse: Lakehouse) -> None:
    path = lakehouse.project.root / "metadata/openlineage.yml"
    path.write_text("catalogue:\n  kind: http\n  namespace: books\n  url: https://example.org\n")
    with pytest.raises(ContractError) as error:
        read_project(lakehouse.project.root)
    assert [(one.where.line, one.code) for one in error.value.problems] == [(4, "invalid-value")]
