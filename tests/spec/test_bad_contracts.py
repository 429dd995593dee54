"""Every bad contract has its faults named, by code, on the line that carries the comment."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from framework.spec.problem import CODES, ContractError
from framework.spec.project import read_project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

BAD = sorted((ROOT / "tests/bad_contracts").glob("*.yml"))
MARK = re.compile(r"# error: ([a-z-]+)")
GOOD = """table: bronze_x
layer: bronze
description: A row.
files: {pattern: ["x.csv"]}
columns:
  - {name: id}
  - {name: a}
"""


def problems_of(contract: Path, root: Path) -> list[tuple[int, str]]:
    """Return the line and code of each problem in a project of one good contract and this one."""
    shutil.copytree(ROOT / "tests/scenarios/metadata", root / "metadata")
    (root / "contracts").mkdir()
    (root / "contracts" / "a_good.yml").write_text(GOOD)
    shutil.copy(contract, root / "contracts" / "bad.yml")
    with pytest.raises(ContractError) as caught:
        read_project(root)
    problems = caught.value.problems
    assert all(problem.where.path.name == "bad.yml" for problem in problems), str(caught.value)
    assert all(problem.what and problem.why and problem.fix for problem in problems)
    return sorted((problem.where.line, problem.code) for problem in problems)


@pytest.mark.parametrize("contract", BAD, ids=lambda path: path.stem)
def test_every_fault_is_found_on_its_line(contract: Path, tmp_path: Path) -> None:
    lines = contract.read_text("utf-8").splitlines()
    wanted = sorted((number, code) for number, line in enumerate(lines, 1) for code in MARK.findall(line))
    assert wanted, "a bad contract marks its faults"
    found = problems_of(contract, tmp_path)
    # A key that is missing is told at the mapping that lacks it; several at one place are one line of the output.
    assert sorted(set(found)) == sorted(set(wanted))


def test_every_code_has_a_bad_contract() -> None:
    shown = {code for path in BAD for code in MARK.findall(path.read_text("utf-8"))}
    assert set(CODES) - shown == {"unreadable-file"}, "the one that cannot be marked has a test of its own"


def test_a_file_that_is_not_utf8_is_a_problem(tmp_path: Path) -> None:
    bad = tmp_path / "latin.yml"
    bad.write_bytes("table: caf\u00e9".encode("latin-1"))
    assert problems_of(bad, tmp_path / "project") == [(1, "unreadable-file")]


def test_a_problem_is_printed_with_its_line_and_a_mark(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests/scenarios/metadata", tmp_path / "metadata")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "x.yml").write_text(GOOD + "ownr: engineers\n")
    with pytest.raises(ContractError) as caught:
        read_project(tmp_path)
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/contracts/x.yml:8:1: unknown-key",
        '  There is no key "ownr" here.',
        "   8 | ownr: engineers",
        "     | ^^^^",
        "  why: a misspelled key would be forgotten without a word.",
        '  fix: did you mean "owner"? Known here: columns, description, files, grants, layer, owner, quality, retention, table.',
    ]
