"""What the docs say loads and is true."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from framework.spec.project import read_project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def test_every_contract_in_the_grammar_guide_is_valid(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "metadata", tmp_path / "metadata")
    (tmp_path / "contracts").mkdir()
    blocks = BLOCK.findall((ROOT / "docs/contracts.md").read_text("utf-8"))
    for number, block in enumerate(blocks):
        (tmp_path / "contracts" / f"{number}.yml").write_text(block)
    assert set(read_project(tmp_path).contracts) == {"bronze_visits", "silver_visits", "gold_visits", "gold_regulars"}


def test_the_readme_shows_lines_of_the_real_contract() -> None:
    (block,) = BLOCK.findall((ROOT / "README.md").read_text("utf-8"))
    real = {line.split("#")[0].strip() for line in (ROOT / "contracts/silver/sales.yml").read_text("utf-8").splitlines()}
    shown = {line.split("#")[0].strip() for line in block.splitlines()} - {""}
    assert shown <= real


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
