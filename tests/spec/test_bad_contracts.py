"""Every bad contract has its faults named, by code, on the line that carries the comment."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from framework.spec.codes import CODES
from framework.spec.findings import validated
from framework.spec.problem import ContractError
from framework.spec.project import read_project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "tests/bad_contracts"
BAD = sorted(FOLDER.glob("*.yml"))
MARK = re.compile(r"(?:#|--|/\*) error: ([a-z, -]+[a-z])")


def problems_of(contract: Path, root: Path) -> list[tuple[int, str]]:
    """Return the line and code of each problem in a project of good contracts and this one."""
    shutil.copytree(FOLDER / "project", root)
    shutil.copy(contract, root / "contracts" / "zz_bad.yml")
    problems = validated(root, use_cache=False).problems
    assert all(problem.where.path.name == "zz_bad.yml" for problem in problems), "\n".join(p.text() for p in problems)
    assert all(problem.what and problem.why and problem.fix for problem in problems)
    return sorted((problem.where.line, problem.code) for problem in problems)


def marks_of(contract: Path) -> list[tuple[int, str]]:
    """Return the line and code of each fault that a bad contract says it has."""
    lines = contract.read_text("utf-8").splitlines()
    return sorted(
        (number, code.strip()) for number, line in enumerate(lines, 1) for codes in MARK.findall(line) for code in codes.split(",")
    )


@pytest.mark.parametrize("contract", BAD, ids=lambda path: path.stem)
def test_every_fault_is_found_on_its_line(contract: Path, tmp_path: Path) -> None:
    wanted = marks_of(contract)
    assert wanted, "a bad contract marks its faults"
    found = problems_of(contract, tmp_path / "project")
    # A key that is missing is told at the mapping that lacks it; several at one place are one line of the output.
    assert sorted(set(found)) == sorted(set(wanted))


def test_there_are_many_faults_and_every_code_that_a_line_can_have_is_among_them() -> None:
    marks = [code for path in BAD for _, code in marks_of(path)]
    assert len(marks) >= 120
    elsewhere = {"unreadable-file", "file-too-large", "wrong-extension", "empty-file", "overlapping-patterns", "pii-elsewhere"}
    assert set(CODES) - set(marks) == elsewhere, "those that no line can be marked with have tests of their own"


def test_a_file_that_is_not_utf8_is_a_problem(tmp_path: Path) -> None:
    bad = tmp_path / "latin.yml"
    bad.write_bytes("table: caf\u00e9".encode("latin-1"))
    assert problems_of(bad, tmp_path / "project") == [(1, "unreadable-file")]


def test_a_problem_is_printed_with_its_line_and_a_mark(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "project/metadata", tmp_path / "metadata")
    (tmp_path / "contracts").mkdir()
    good = (FOLDER / "project/contracts/bronze_x.yml").read_text("utf-8")
    (tmp_path / "contracts" / "x.yml").write_text(good + "ownr: engineers\n")
    with pytest.raises(ContractError) as caught:
        read_project(tmp_path)
    known = ["accepted", "cluster_by", "columns", "description", "files", "grants", "layer", "masked_for", "owner"]
    known += ["quality", "retention", "row_filter", "table"]
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/contracts/x.yml:12:1: unknown-key",
        '  There is no key "ownr" here.',
        "   12 | ownr: engineers",
        "      | ^^^^",
        "  why: a misspelled key would be forgotten without a word.",
        f'  fix: did you mean "owner"? Known here: {", ".join(known)}.',
    ]
