"""A small mistake in a shipped contract is found on its line, or changes nothing that could be known to be wrong.

What is not found is one of three things, and each is checked to be just that:

- a name that nothing else mentions: a table or a column that no contract reads, a check's label, a delivered column;
- a type that delivered text may well have, or the type that is there already;
- an optional key taken away, which leaves a smaller contract.

All three are seen by `plan`, which compares a hash of what the rows depend on, unless no row depends on them.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework.spec.cache import project_files
from framework.spec.load import load
from framework.spec.project import Project, examined_project
from tests.conftest import ROOT
from tests.spec.mutations import Mutation, mutations

if TYPE_CHECKING:
    from framework.spec.problem import Problem
    from framework.spec.project import Examined

FILES = project_files(ROOT)
CONTRACTS = [name for name in FILES if name.startswith("contracts/")]
MAY_BE_LEFT_OUT = {"cluster_by", "quality", "grants", "retention", "checks", "dedupe", "history", "accepted"}
DECLARES = {"name", "table", "type"}
"""Keys that declare something: a mistake in one shows where it is used."""


@pytest.fixture(scope="module")
def sound() -> Examined:
    """Return the product as it is shipped, looked at once."""
    found = examined_project(ROOT, FILES, {}, models=True)
    assert not found.findings.problems
    return found


def problems_with(name: str, content: bytes, sound: Examined) -> list[Problem]:
    """Return what is wrong once a file is another."""
    return list(examined_project(ROOT, {**FILES, name: content}, sound.kept).findings.problems)


@pytest.mark.parametrize("name", CONTRACTS, ids=lambda name: str(PurePosixPath(name).relative_to("contracts")))
def test_a_mistake_is_found_on_its_line_or_could_not_be_known(name: str, sound: Examined) -> None:
    made = list(mutations(load(ROOT / name)))
    assert len(made) > 30
    unknown = []
    for mutation in made:
        problems = problems_with(name, mutation.text.encode(), sound)
        if not problems:
            unknown.append(mutation)
            continue
        if mutation.kind in {"key dropped", "key twice"} or mutation.loc[-1] in DECLARES:
            continue
        lines = {problem.where.line for problem in problems if problem.where.path == ROOT / name}
        assert mutation.line in lines, f"{name}: {mutation} is told elsewhere: {[str(problem.where) for problem in problems]}"
    assert sound.project
    wrong = [str(mutation) for mutation in unknown if not could_not_be_known(mutation, name, sound.project)]
    assert wrong == []


def could_not_be_known(mutation: Mutation, name: str, project: Project) -> bool:
    """Tell whether a mistake leaves a contract that is as good as the one before, for all that the project says."""
    contract = next(one for one in project.contracts.values() if one.document.path == ROOT / name)
    table, loc = contract.table.table, mutation.loc
    readers = {column for one in project.facts.values() for other, column in one.reads if other == table and one.table != table}
    facts = project.facts[table]
    if mutation.kind == "key dropped":
        return str(loc[0]) in MAY_BE_LEFT_OUT
    if loc == ("table",):
        return not readers and not any(table in one.table.inputs for one in project.contracts.values())
    if "checks" in loc and loc[-1] == "name":
        return True
    if loc[0] != "columns" or len(loc) != 3:
        return False
    column = contract.table.all_columns[int(loc[1])]
    if loc[-1] == "name":
        return column.name.lower() not in readers
    if loc[-1] == "type":
        to = mutation.kind.removeprefix("retyped to ")
        origins = facts.columns[column.name.lower()].origins
        delivered = any(project.facts[o.table].kind == "files" or "<" in project.facts[o.table].columns[o.column].type for o in origins)
        return to == getattr(column, "type", None) or delivered
    return False


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_written_there_is_never_a_traceback(data: st.DataObject, sound: Examined) -> None:
    name = data.draw(st.sampled_from(CONTRACTS))
    text = (FILES[name] or b"").decode()
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    alphabet = st.sampled_from([*"abz_09 .,:;#-{}[]()'\"\n\t|>&*!?%@`\\/<=+", "é", "\ufeff", "null", "true", "cast(", "${", "select "])
    junk = "".join(data.draw(st.lists(alphabet, max_size=12)))
    changed = text[:start] + junk + text[start + length :]
    for problem in problems_with(name, changed.encode("utf-8", "surrogatepass"), sound):
        assert problem.what
        assert problem.fix
        assert problem.text()


WORDS = """
table layer description owner source sources columns name type expr checks dedupe key history files pattern sql joins
group_by periods of types measure lookup reference on take in between matches grants accepted declassified from method
"""
KEYS = st.sampled_from(WORDS.split())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_yaml_at_all_is_a_contract_or_has_problems(value: dict[str, object], sound: Examined) -> None:
    import yaml  # noqa: PLC0415 - only here

    text = yaml.safe_dump({"table": "silver_any", "layer": "silver", "description": "Anything.", **value}, allow_unicode=True)
    for problem in problems_with("contracts/silver/any.yml", text.encode("utf-8", "surrogatepass"), sound):
        assert problem.what
        assert problem.text()
