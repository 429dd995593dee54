"""The pages of the codes are true: each bad example has the fault, each good one has not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from framework.spec.codes import BASES, CODES
from framework.spec.findings import validated
from framework.spec.render import changed, page_of
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WITH_BASE = [code for code, one in CODES.items() if one.base]
ABOUT_FILES = {
    "unreadable-file": ("silver.yml", "description: caf\u00e9".encode("latin-1")),
    "file-too-large": ("silver.yml", b"# " + b"x" * 10_000_000),
    "wrong-extension": ("visits.yml.txt", b"table: x"),
    "empty-file": ("empty.yml", CODES["empty-file"].bad.encode()),
    "several-documents": ("silver.yml", CODES["several-documents"].bad.encode()),
    "pii-elsewhere": ("calls.yml", CODES["pii-elsewhere"].bad.encode()),
    "overlapping-patterns": ("calls.yml", BASES["bronze"].replace("bronze_visits", "bronze_calls").encode()),
}


def project(root: Path) -> Path:
    """Return a project of the four contracts that the examples change."""
    shutil.copytree(ROOT / "tests/bad_contracts/project/metadata", root / "metadata")
    (root / "metadata/pii.yml").write_text("contact: {description: Mail.}\naddress: {description: Where one lives.}\n")
    text = (root / "metadata/principals.yml").read_text("utf-8").replace("[name, contact]", "[contact, address]")
    (root / "metadata/principals.yml").write_text(text)
    (root / "contracts").mkdir()
    for name, base in BASES.items():
        (root / "contracts" / f"{name}.yml").write_text(base, "utf-8")
    return root


def codes(root: Path) -> set[str]:
    """Return the codes of all problems."""
    return {problem.code for problem in validated(root, use_cache=False).problems}


def test_the_contracts_that_the_examples_change_are_sound(tmp_path: Path) -> None:
    assert [problem.text() for problem in validated(project(tmp_path), use_cache=False).errors] == []


@pytest.mark.parametrize("code", WITH_BASE)
def test_the_bad_example_has_the_fault_and_the_good_one_has_not(code: str, tmp_path: Path) -> None:
    one = CODES[code]
    assert one.base
    root = project(tmp_path)
    path = root / "contracts" / f"{one.base}.yml"
    path.write_text(changed(BASES[one.base], one.bad), "utf-8")
    assert code in codes(root)
    path.write_text(changed(BASES[one.base], one.good), "utf-8")
    found = validated(root, use_cache=False)
    here = [problem for problem in found.problems if problem.where.path == path]
    assert code not in {problem.code for problem in here}
    assert not [problem.text() for problem in here if not problem.is_warning], "the good example has another fault"


@pytest.mark.parametrize("code", ABOUT_FILES)
def test_faults_of_whole_files_are_found(code: str, tmp_path: Path) -> None:
    root = project(tmp_path)
    name, content = ABOUT_FILES[code]
    (root / "contracts" / name).write_bytes(content)
    assert code in codes(root)


def test_every_code_has_its_example_tried() -> None:
    assert set(CODES) == {*WITH_BASE, *ABOUT_FILES}


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_what_why_and_shows_both(code: str) -> None:
    page = page_of(code)
    assert all(part in page for part in (code, CODES[code].title, CODES[code].why, "Bad:", "Good:"))
    assert page.count("```") % 2 == 0
