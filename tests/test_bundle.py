"""The Databricks bundle: what its models take, and what nobody else looks at before a job fails."""

from __future__ import annotations

import copy
import runpy
import sys
from importlib.metadata import entry_points, requires
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from framework.cli import _named, app, job
from tests.bundle import VARIANTS, Bundle, problems, read_bundle
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from framework.spec.project import Project


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_wrong_with_the_bundle(variant: str, product: Project) -> None:
    bundle = read_bundle(ROOT, variant)
    assert problems(bundle, product) == []
    jobs = bundle.resources["jobs"]
    assert {"bronze", "silver", "gold", "all", "sales", "marketing", "maintain"} == jobs.keys()
    tasks = {key: task for one in jobs.values() for task in one["tasks"] for key in task}
    assert ("environment_key" in tasks, "notebook_task" in tasks) == (variant == "serverless", variant == "classic")
    for key in ("sales", "marketing"):
        (task,) = jobs[key]["tasks"]
        named = task["run_job_task"]["job_parameters"]["gold_tables"].split(",")
        assert set(named) <= product.tables.keys(), "a schedule names tables that contracts describe"


def test_the_layers_have_one_job_each_whatever_they_run_on() -> None:
    one, other = (read_bundle(ROOT, variant).resources for variant in VARIANTS)
    assert one.keys() == other.keys()
    for key, job_ in one["jobs"].items():
        for part in ("name", "parameters", "schedule", "permissions", "max_concurrent_runs", "timeout_seconds"):
            assert job_.get(part) == other["jobs"][key].get(part), (key, part)


def first(bundle: Bundle, job_: str) -> dict[str, Any]:
    """Return a job's first task."""
    task: dict[str, Any] = bundle.resources["jobs"][job_]["tasks"][0]
    return task


BROKEN: dict[str, Callable[[Bundle], object]] = {
    "task_kee": lambda one: first(one, "bronze").update(task_kee=first(one, "bronze")["task_key"]),
    "gold waits for sliver, which is no task": lambda one: one.resources["jobs"]["all"]["tasks"][2]["depends_on"][0].update(
        task_key="sliver"
    ),
    "bronze stands before gold, for which it waits": lambda one: first(one, "all").update(depends_on=[{"task_key": "gold"}]),
    "there is no resource jobs.iron": lambda one: first(one, "all")["run_job_task"].update(job_id="${resources.jobs.iron.id}"),
    "knows no parameter table": lambda one: first(one, "all")["run_job_task"]["job_parameters"].update(table="x"),
    "no parameter env is declared": lambda one: first(one, "bronze")["python_wheel_task"]["parameters"].append("{{job.parameters.env}}"),
    "nobody uses the parameter day": lambda one: one.resources["jobs"]["silver"]["parameters"].append({"name": "day", "default": ""}),
    "No such option: --layer": lambda one: first(one, "silver")["python_wheel_task"]["parameters"].extend(["--layer", "silver"]),
    "the command has no rum": lambda one: first(one, "silver")["python_wheel_task"]["parameters"].__setitem__(0, "rum"),
    "the wheel has no command": lambda one: first(one, "silver")["python_wheel_task"].update(entry_point="main"),
    "there is no environment lakepct": lambda one: first(one, "gold").update(environment_key="lakepct"),
    "it is not tried again": lambda one: first(one, "gold").pop("max_retries"),
    "is not where the artifact is built": lambda one: one.resources["jobs"]["gold"]["environments"][0]["spec"].update(
        dependencies=["../dist/*.whl"]
    ),
    "it has no wheel": lambda one: one.resources["jobs"]["gold"]["environments"][0]["spec"].update(dependencies=[]),
    "its schedule is not paused": lambda one: one.resources["jobs"]["sales"]["schedule"].update(pause_status="UNPAUSED"),
    "it could run twice at once": lambda one: one.resources["jobs"]["gold"].update(max_concurrent_runs=2),
    "nobody is told when it fails": lambda one: one.resources["jobs"]["gold"].pop("email_notifications"),
    "dev would rename the schema": lambda one: one.main["targets"]["dev"].update(mode="development"),
    "name different places": lambda one: one.main["targets"]["dev"]["variables"].update(schema="dg-day"),
    "names no environment in a catalog: local": lambda one: one.main["targets"]["dev"]["variables"].update(environment="local"),
    "leaves the variable schema open": lambda one: one.main["targets"]["dev"]["variables"].pop("schema"),
    "there is no variable mail": lambda one: one.resources["schemas"]["tables"].update(comment="${var.mail}"),
    "nobody uses the variable day": lambda one: one.main["variables"].update(day={"default": "1"}),
    "is not in the volume": lambda one: one.resources["volumes"]["volume"].update(name="deliveries"),
    "volume_kind": lambda one: one.resources["volumes"]["volume"].update(volume_kind="MANAGED"),
}


@pytest.mark.parametrize("said", BROKEN)
def test_what_is_wrong_is_said(said: str, product: Project) -> None:
    bundle = copy.deepcopy(read_bundle(ROOT, "serverless"))
    BROKEN[said](bundle)
    found = problems(bundle, product)
    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ("asks for no day", {"base_parameters": {"day": "1"}}),
        ("there is no notebook gold.py", {"notebook_path": "../../notebooks/gold.py"}),
    ],
)
def test_what_is_wrong_with_a_notebook_is_said(said: str, given: dict[str, Any], product: Project) -> None:
    bundle = copy.deepcopy(read_bundle(ROOT, "classic"))
    first(bundle, "gold")["notebook_task"].update(given)
    assert any(said in one for one in problems(bundle, product))


def test_the_wheel_has_the_commands_and_asks_for_no_spark() -> None:
    commands = {one.name: one.value for one in entry_points(group="console_scripts") if one.value.startswith("framework.")}
    assert commands == {"lakepact": "framework.cli:main", "lakepact-job": "framework.cli:job"}
    needed = [one for one in requires("lakepact") or () if "extra ==" not in one]
    assert needed
    assert not [one for one in needed if one.startswith(("pyspark", "delta", "soda", "databricks"))]


def test_a_job_fails_by_an_error_and_ends_well_without_leaving(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["lakepact", "--version"])
    job()
    assert "lakepact" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["lakepact", "run", "irn", "--project", str(ROOT)])
    with pytest.raises(RuntimeError, match="ended with exit code 2"):
        job()


def test_the_notebook_runs_a_layer_with_what_its_widgets_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    given = {"layer": "gold", "environment": "databricks", "project": "/p", "tables": "gold_loans,gold_days"}
    texts: dict[str, str] = {}
    widgets = SimpleNamespace(text=texts.__setitem__, get=lambda name: {**texts, **given}[name])

    def called(_: object, arguments: list[str], *, standalone_mode: bool) -> int:
        assert not standalone_mode
        asked.append(arguments)
        return len(asked) - 1

    monkeypatch.setattr(type(app), "__call__", called)
    notebook = str(ROOT / "notebooks/run_layer.py")
    runpy.run_path(notebook, {"dbutils": SimpleNamespace(widgets=widgets)})
    assert asked == [["run", "gold", "--env", "databricks", "--project", "/p", "--table", "gold_loans,gold_days"]]
    with pytest.raises(RuntimeError, match="gold is not all well"):
        runpy.run_path(notebook, {"dbutils": SimpleNamespace(widgets=widgets)})


def test_a_parameter_names_tables_with_commas_between_and_none_where_it_is_left_empty() -> None:
    assert (_named(["gold_days, gold_loans", "silver_loans"]), _named([""]), _named(None)) == (
        ["gold_days", "gold_loans", "silver_loans"],
        [],
        [],
    )
