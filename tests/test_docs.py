"""What the docs say loads and is true."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from framework.cli import app
from framework.spec.findings import validated
from framework.spec.project import read_project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def test_every_contract_in_the_grammar_guide_is_valid(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "metadata", tmp_path / "metadata")
    (tmp_path / "contracts").mkdir()
    blocks = BLOCK.findall((ROOT / "docs/contracts.md").read_text("utf-8"))
    for number, block in enumerate(blocks):
        (tmp_path / "contracts" / f"{number}.yml").write_text(block)
    found = read_project(tmp_path)
    assert set(found.contracts) == {"bronze_visits", "silver_visits", "silver_signatures", "silver_notes", "gold_visits", "gold_regulars"}
    assert {problem.code for problem in found.findings.problems} <= {"unused-column"}


FILE = re.compile(r"```(?:yaml|csv)\n# (\S+)\n(.*?)```", re.DOTALL)
GUIDE = (ROOT / "docs/guide.md").read_text("utf-8")


@pytest.fixture
def rides(tmp_path: Path) -> Path:
    """Return the project that a reader of the guide has at its end."""
    for name, text in FILE.findall(GUIDE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def cells(line: str) -> list[str]:
    """Return the cells of a line of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_guide_ends_in_the_table_that_it_shows(rides: Path, spark: SparkSession) -> None:
    ran = CliRunner().invoke(app, ["run", "all", "--project", str(rides)])
    assert ran.exit_code == 0, ran.output
    heading, _, *lines = [line for line in GUIDE.splitlines() if line.startswith("|")]
    rows = spark.read.format("delta").load(str(rides / "warehouse/gold_stations")).orderBy("station").collect()
    assert [[str(row[name]) for name in cells(heading)] for row in rows] == [cells(line) for line in lines]
    assert "minutes_readable" in ran.output
    assert "started_at_required" in ran.output
    again = CliRunner().invoke(app, ["plan", "--project", str(rides)])
    assert "Nothing to do" in again.output


def test_the_guide_needs_no_warning(rides: Path) -> None:
    assert validated(rides, use_cache=False).problems == ()


def test_the_message_in_the_guide_is_the_real_one(rides: Path) -> None:
    path = rides / "contracts/gold/stations.yml"
    path.write_text(path.read_text("utf-8").replace("sum(minutes)", "sum(minuts)"), "utf-8")
    (problem,) = validated(rides, use_cache=False).errors
    assert problem.text().replace(f"{rides}/", "") in GUIDE


def test_the_guide_says_what_happens_without_the_declassification(rides: Path) -> None:
    silver, gold = rides / "contracts/silver/rides.yml", rides / "contracts/gold/stations.yml"
    lines = silver.read_text("utf-8").splitlines(keepends=True)
    silver.write_text("".join(line for line in lines if "declassified" not in line), "utf-8")
    assert {problem.code for problem in validated(rides, use_cache=False).errors} == {"undeclared-pii", "pii-leak"}
    silver.write_text(silver.read_text("utf-8").replace("expr: mail is not null", "expr: mail is not null\n    pii: contact"), "utf-8")
    gold.write_text(gold.read_text("utf-8").replace("count_if(is_reachable),", "count_if(is_reachable), pii: contact,"), "utf-8")
    (leak,) = validated(rides, use_cache=False).errors
    assert leak.code == "pii-leak"
    assert "bronze_rides.mail → silver_rides.is_reachable → gold_stations.reachable" in leak.what


def test_the_readme_shows_lines_of_the_real_contract() -> None:
    (block,) = BLOCK.findall((ROOT / "README.md").read_text("utf-8"))
    real = {line.split("#")[0].strip() for line in (ROOT / "contracts/silver/sales.yml").read_text("utf-8").splitlines()}
    shown = {line.split("#")[0].strip() for line in block.splitlines()} - {""}
    assert shown <= real


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
