"""What editors are told is what the engine takes."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from docs.generate import generated
from framework.spec.load import load
from framework.spec.project import read_project
from framework.spec.schema import contract_schema, metadata_schemas
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = [
    path
    for folder in ("contracts", "examples", "tests/library", "tests/scenarios", "tests/bad_contracts/project")
    for path in sorted((ROOT / folder).rglob("*.yml"))
    if "metadata" not in path.parts
]
# Faults that a schema can know of, and nothing else is wrong in the file.
BAD = {
    "misspelled_keys": "an unknown key",
    "missing_keys": "a key is missing",
    "wrong_values": "a value of another kind",
    "no_source": "rows from nowhere",
    "files": "a word that is not in a list",
    "a_list": "no mapping",
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = contract_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_schema_takes_every_shipped_contract(path: Path, validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(load(path).value)] == []


@pytest.mark.parametrize("name", BAD)
def test_the_schema_refuses_what_the_engine_refuses(name: str, validator: Draft202012Validator) -> None:
    assert not validator.is_valid(load(ROOT / f"tests/bad_contracts/{name}.yml").value), BAD[name]


@pytest.mark.parametrize("part", sorted({*metadata_schemas()} - {"alerts", "openlineage", "row_filters"}))
def test_the_schemas_take_the_shipped_metadata(part: str) -> None:
    schema: dict[str, Any] = dict(metadata_schemas()[part])
    Draft202012Validator.check_schema(schema)
    for root in (ROOT, ROOT / "examples/online_retail", ROOT / "tests/library"):
        assert Draft202012Validator(schema).is_valid(load(root / f"metadata/{part}.yml").value)


@pytest.mark.parametrize(("number", "part"), [(0, "alerts"), (1, "openlineage")])
def test_what_the_docs_show_of_metadata_is_taken(number: int, part: str, tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/operate.md").read_text("utf-8"), re.DOTALL)
    assert len(examples) == 2
    example, path = examples[number], tmp_path / f"{part}.yml"
    path.write_text(example, "utf-8")
    schema: dict[str, Any] = dict(metadata_schemas()[part])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(load(path).value)
    for folder in ("contracts", "metadata"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy2(path, tmp_path / f"metadata/{part}.yml")
    names = {"alerts": {"engineers", "owners_of_data"}, "openlineage": {"catalogue", "archive"}}
    assert set(getattr(read_project(tmp_path).metadata, part)) == names[part]


def test_generated_files_are_as_the_models_say() -> None:
    stale = [name for name, text in generated().items() if not (ROOT / name).exists() or (ROOT / name).read_text("utf-8") != text]
    assert stale == [], "run `make docs`"
    pages = {f"docs/errors/{path.name}" for path in (ROOT / "docs/errors").glob("*.md")}
    assert pages <= set(generated()), "run `make docs`"


def test_every_key_has_its_meaning_in_the_schema() -> None:
    schema = contract_schema()
    mute = [
        f"{model}.{key}"
        for model, one in schema["$defs"].items()
        for key, field in one.get("properties", {}).items()
        if not field.get("description")
    ]
    assert mute == []


def test_shipped_contracts_name_the_schema_in_their_first_line() -> None:
    for folder in ("contracts", "examples/online_retail/contracts"):
        for path in (ROOT / folder).rglob("*.yml"):
            first = path.read_text("utf-8").split("\n")[0]
            assert first.startswith("# yaml-language-server: $schema="), path
            assert (path.parent / first.split("=")[1]).resolve() == ROOT / "metadata/contract.schema.json"


def test_the_editor_settings_name_the_schemas() -> None:
    settings = json.loads((ROOT / ".vscode/settings.json").read_text("utf-8"))
    for schema in settings["yaml.schemas"]:
        assert (ROOT / schema).exists()
