"""What is wrong with a Databricks bundle that neither its command line nor its models see?

The models of databricks-bundles know every key of a job; that a task waits for one that is there, that a notebook lies
where it is looked for, that the command knows the options it is given: nobody asks that before the job fails.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
import typer
import yaml
from databricks.bundles.jobs import Job
from databricks.bundles.schemas import Schema
from databricks.bundles.volumes import Volume

from framework.cli import app
from framework.spec.metadata import Catalog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from framework.spec.project import Project

VARIANTS = ("serverless", "classic")
_MODELS: dict[str, Any] = {"jobs": Job, "schemas": Schema, "volumes": Volume}
_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_PARAMETER = re.compile(r"\{\{job\.parameters\.([^}]+)\}\}")
_WIDGETS = re.compile(r"in (\{.*?\})\.items\(\)")


@dataclass
class Bundle:
    """A bundle's own file, and the resources of its files with the file that each came from."""

    root: Path
    main: dict[str, Any]
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[tuple[str, str], Path] = field(default_factory=dict)


def read_bundle(root: Path, variant: str) -> Bundle:
    """Return a bundle as it is deployed in one variant."""
    found = Bundle(root, yaml.safe_load((root / "databricks.yml").read_text()))
    for pattern in found.main["include"]:
        for path in sorted(root.glob(pattern.replace(VARIANTS[0], variant))):
            for kind, ones in yaml.safe_load(path.read_text())["resources"].items():
                for key, one in ones.items():
                    found.resources.setdefault(kind, {})[key] = one
                    found.files[kind, key] = path
    return found


def problems(bundle: Bundle, project: Project) -> list[str]:
    """Return all that is wrong with a bundle."""
    return [
        *_of_models(bundle),
        *_of_references(bundle),
        *_of_targets(bundle, project),
        *(f"{key}: {what}" for key, one in bundle.resources.get("jobs", {}).items() for what in _of_job(bundle, key, one)),
    ]


def _of_models(bundle: Bundle) -> Iterator[str]:
    for kind, ones in bundle.resources.items():
        for key, one in ones.items():
            if kind not in _MODELS:
                yield f"{kind} are not looked at"
                continue
            try:
                _MODELS[kind].from_dict(one)
            except (TypeError, ValueError) as error:
                yield f"{key}: {error}"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _of_references(bundle: Bundle) -> Iterator[str]:
    """Tell what is referred to and is not there, and variables that nobody uses or that a target leaves open."""
    variables = bundle.main["variables"]
    used = {name for value in (bundle.resources, bundle.main) for text in _texts(value) for name in _REFERENCE.findall(text)}
    for name in sorted(used):
        kind, _, rest = name.partition(".")
        if kind == "var" and rest not in variables:
            yield f"there is no variable {rest}"
        elif kind == "resources":
            group, key, _ = rest.split(".")
            if key not in bundle.resources.get(group, {}):
                yield f"there is no resource {rest}"
        elif kind not in {"var", "resources", "bundle", "workspace"}:
            yield f"nobody fills in {name}"
    for name, one in variables.items():
        if f"var.{name}" not in used:
            yield f"nobody uses the variable {name}"
        for target, said in bundle.main["targets"].items():
            if "default" not in one and name not in said.get("variables", {}):
                yield f"{target} leaves the variable {name} open"


def _of_targets(bundle: Bundle, project: Project) -> Iterator[str]:
    """Tell where a target and the environment that it names say different things."""
    for name, target in bundle.main["targets"].items():
        said = {"environment": "", "catalog": "", "schema": "", **target["variables"]}
        if target.get("mode") == "development" or "presets" in target:
            yield f"{name} would rename the schema"
        environment = project.metadata.environments.get(said["environment"])
        if not isinstance(environment, Catalog):
            yield f"{name} names no environment in a catalog: {said['environment']}"
        elif (environment.catalog, environment.schema_name) != (said["catalog"], said["schema"]):
            yield f"{name} and the environment {said['environment']} name different places"
        else:
            volume = f"/Volumes/{said['catalog']}/{said['schema']}/{bundle.resources['volumes']['volume']['name']}"
            for path in (environment.landing, environment.state):
                if not f"{path}/".startswith(f"{volume}/"):
                    yield f"{name}: {path} is not in the volume {volume}"


def _of_job(bundle: Bundle, key: str, job: dict[str, Any]) -> Iterator[str]:
    """Tell what would make a job fail once it is started, or run when nobody expects it."""
    tasks = {task["task_key"]: task for task in job["tasks"]}
    given = {one["name"] for one in job.get("parameters", [])}
    used = {name for text in _texts(job["tasks"]) for name in _PARAMETER.findall(text)}
    yield from (f"no parameter {name} is declared" for name in sorted(used - given))
    yield from (f"nobody uses the parameter {name}" for name in sorted(given - used))
    if len(tasks) < len(job["tasks"]):
        yield "two tasks have one key"
    if job.get("max_concurrent_runs") != 1 or not job.get("queue", {}).get("enabled"):
        yield "it could run twice at once, or be skipped instead of queued"
    if not job.get("email_notifications", {}).get("on_failure"):
        yield "nobody is told when it fails"
    if job.get("schedule", {}).get("pause_status", "PAUSED") != "PAUSED":
        yield "its schedule is not paused"
    done: set[str] = set()
    for name, task in tasks.items():
        for one in task.get("depends_on", []):
            if one["task_key"] not in tasks:
                yield f"{name} waits for {one['task_key']}, which is no task"
            elif one["task_key"] not in done:
                yield f"{name} stands before {one['task_key']}, for which it waits"
        done.add(name)
        yield from (f"{name}: {what}" for what in _of_task(bundle, bundle.files["jobs", key].parent, job, task))


def _of_task(bundle: Bundle, folder: Path, job: dict[str, Any], task: dict[str, Any]) -> Iterator[str]:
    environments = {one["environment_key"]: one for one in job.get("environments", [])}
    clusters = {one["job_cluster_key"] for one in job.get("job_clusters", [])}
    if task.get("environment_key", next(iter(environments), "")) not in {*environments, ""}:
        yield f"there is no environment {task['environment_key']}"
    if task.get("job_cluster_key", next(iter(clusters), "")) not in {*clusters, ""}:
        yield f"there is no cluster {task['job_cluster_key']}"
    if "run_job_task" not in task:
        yield from _of_wheels(folder, bundle.root / "dist", environments.get(task.get("environment_key"), {}), task)
    match task:
        case {"python_wheel_task": wheel}:
            yield from _of_command(wheel)
        case {"notebook_task": notebook}:
            yield from _of_notebook(folder / notebook["notebook_path"], notebook.get("base_parameters", {}))
        case {"run_job_task": call}:
            called = call["job_id"]
            other = bundle.resources["jobs"].get((*_REFERENCE.findall(str(called)), "..")[0].split(".")[2], {})
            known = {one["name"] for one in other.get("parameters", [])}
            yield from (f"{called} knows no parameter {name}" for name in sorted(call.get("job_parameters", {}).keys() - known))
        case _:
            yield "it does nothing"


def _of_wheels(folder: Path, dist: Path, environment: dict[str, Any], task: dict[str, Any]) -> Iterator[str]:
    """Tell where a task lacks what the artifact is built into, or a second try."""
    wheels = [one["whl"] for one in task.get("libraries", [])] + environment.get("spec", {}).get("dependencies", [])
    if not wheels:
        yield "it has no wheel"
    for wheel in wheels:
        if not wheel.endswith(".whl") or (folder / wheel).parent.resolve() != dist.resolve():
            yield f"{wheel} is not where the artifact is built"
    if "max_retries" not in task:
        yield "it is not tried again"


def _of_command(wheel: dict[str, Any]) -> Iterator[str]:
    """Tell where the command does not know what it is given."""
    if wheel["package_name"] != "lakepact" or wheel["entry_point"] != "lakepact-job":
        yield f"the wheel has no command {wheel['package_name']}.{wheel['entry_point']}"
    name, *arguments = wheel["parameters"]
    group = typer.main.get_command(app)
    command = group.commands.get(name) if isinstance(group, click.Group) else getattr(group, "commands", {}).get(name)
    if command is None:
        yield f"the command has no {name}"
        return
    try:
        command.make_context(name, list(arguments), resilient_parsing=False)
    except Exception as error:  # noqa: BLE001 - the parser's own errors, of whichever package typer brings
        yield f"{name}: {getattr(error, 'message', error)}"


def _of_notebook(path: Path, given: dict[str, str]) -> Iterator[str]:
    """Tell where a notebook is not there, or does not ask for what it is given."""
    if not path.is_file():
        yield f"there is no notebook {path.name}"
        return
    text = path.read_text()
    if not text.startswith("# Databricks notebook source\n"):
        yield f"{path.name} is no notebook"
    (widgets,) = _WIDGETS.findall(text)
    yield from (f"{path.name} asks for no {name}" for name in sorted(given.keys() - ast.literal_eval(widgets).keys()))
