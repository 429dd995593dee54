"""What is told of a row is what happened to it, and nobody is told more than they may see."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from framework.cli import app
from framework.lakehouse.lakehouse import Lakehouse
from framework.runner import run
from framework.spec.problem import CannotRunError
from framework.spec.project import read_project
from framework.spec.sql.equal import equal_to
from framework.why.story import told
from tests.conftest import ROOT
from tests.library.test_library import LATE, LOANS, MEMBERS

if TYPE_CHECKING:
    from pathlib import Path

    from framework.why.story import Story

READERS = """table: gold_readers
layer: gold
description: What each reader has lent.
sql: |
  with lent as (select card as who, count(*) as loans from silver_loans group by card)
  select m.card, m.town, l.loans from silver_members m join lent l on l.who = m.card where m.is_current
key: [card]
columns:
  - {name: card, type: string, pii: reader}
  - {name: town, type: string}
  - {name: loans, type: bigint}
accepted: [{warning: nullable-join, reason: Every loan names a card.}]
"""
WHO = "librarians"


pytestmark = pytest.mark.usefixtures("spark")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """Return the library after its second delivery, in which a reader moves and a late one arrives."""
    root = tmp_path_factory.mktemp("why")
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / "tests/library" / part, root / part)
    (root / "contracts/gold_readers.yml").write_text(READERS)
    (root / "metadata/principals.yml").write_text(
        "librarians: {description: Keep the books., clearance: [reader]}\nguests: {description: Look.}\n"
    )
    (root / "landing").mkdir()
    (root / "landing/members.tsv").write_text(MEMBERS)
    (root / "landing/loans.tsv").write_text(LOANS.replace("N\t13", "\n\nN\t13"))  # empty lines are no rows
    lakehouse = Lakehouse(read_project(root), "local")
    assert run(lakehouse, "all").is_well
    (root / "landing/members_late.tsv").write_text(LATE)
    assert run(lakehouse, "all").is_well
    return lakehouse


def of(library: Lakehouse, table: str, principal: str | None = WHO, **pairs: str) -> Story:
    """Return what is told of a row."""
    return told(library, table, pairs, principal=principal)


def test_the_winner_and_the_loser_of_a_key_are_told_with_their_lines_and_what_decided(library: Lakehouse) -> None:
    story = of(library, "silver_loans", barcode="10", lent="2024-01-05")
    assert [(str(life.place), life.outcome, life.lost_by) for life in story.lives] == [
        ("loans.tsv:2", "kept", ""),
        ("loans.tsv:3", "duplicate", "returned desc"),
    ]
    made = {one.column: (one.before, one.how, one.after) for one in story.lives[0].made}
    assert made["returned"] == ({"returned": "08/01/2024"}, "", "2024-01-08")
    assert made["days"] == ({"returned": "2024-01-08", "lent": "2024-01-05"}, "datediff(returned, lent)", "3")
    assert made["town"][1:] == ("branches.town by branch, else default elsewhere", "Northgate")
    assert [row["days"] for row in story.rows] == ["3"]


def test_every_rule_that_a_row_broke_is_told_with_what_followed(library: Lakehouse) -> None:
    (emptied,) = of(library, "silver_loans", barcode="11").lives
    assert [(one.rule, one.otherwise) for one in emptied.broken] == [("returned_sql", "set_null")]
    refused = of(library, "silver_loans", barcode="", lent="").lives
    assert [(str(one.place), one.outcome, [rule.rule for rule in one.broken]) for one in refused] == [
        ("loans.tsv:9", "quarantined", ["barcode_readable", "lent_readable"])
    ]


def test_an_orphan_that_was_released_came_with_the_last_run(library: Lakehouse) -> None:
    story = of(library, "silver_loans", barcode="13")
    assert story.last_change is not None
    assert (story.last_change.before, [row["barcode"] for row in story.rows]) == ([], ["13"])


def test_versions_and_repeats_of_them_are_told(library: Lakehouse) -> None:
    story = of(library, "silver_members", card="c1")
    assert sorted((str(life.place), life.outcome) for life in story.lives) == [
        ("members.tsv:2", "kept"),
        ("members.tsv:3", "kept"),
        ("members_late.tsv:3", "duplicate"),
    ]
    assert ("gold_readers", "query", "lakepact why gold_readers card=c1") in [(one.table, one.how, one.ask) for one in story.used]


def test_a_group_is_told_with_its_rows_and_those_that_are_new(library: Lakehouse) -> None:
    story = of(library, "gold_loans", period_type="year", period_start="2024-01-01", town="Northgate")
    (one,) = story.made_of
    assert (one.table, one.count, one.came, one.went) == ("silver_loans", 2, 1, 0)
    assert [(difference.kind, difference.row["barcode"]) for difference in one.differences] == [("new", "13")]
    assert story.last_change is not None
    assert [row["loans"] for row in story.last_change.before] == ["1"]


def test_a_row_of_a_query_is_told_with_the_rows_that_its_joins_find(library: Lakehouse) -> None:
    story = of(library, "gold_readers", card="c1")
    assert {one.table: (one.found_by, one.count) for one in story.made_of} == {
        "silver_loans": ("card = c1", 3),
        "silver_members": ("card = c1", 2),
    }


def test_a_corrected_row_is_told_with_what_it_was(library: Lakehouse) -> None:
    story = of(library, "gold_readers", card="c9")
    assert story.last_change is not None
    assert story.last_change.before == []
    (loans,) = [one for one in story.made_of if one.table == "silver_loans"]
    assert [difference.kind for difference in loans.differences] == ["new"]


def test_a_delivered_row_is_told_as_it_is(library: Lakehouse) -> None:
    (life,) = of(library, "bronze_loans", barcode="12").lives
    assert str(life.place) == "loans.tsv:5"
    assert [one.after for one in life.made if one.column == "branch"] == ["Q"]


def test_personal_data_is_masked_and_cannot_be_searched_by_without_clearance(library: Lakehouse) -> None:
    story = of(library, "silver_loans", principal="guests", barcode="10")
    assert {row["card"] for row in story.rows} == {"•••"}
    shown = [value for life in story.lives for one in life.made for value in (*one.before.values(), one.after)]
    assert "c1" not in shown
    assert "•••" in shown
    with pytest.raises(CannotRunError, match="card holds personal data"):
        of(library, "silver_loans", principal=None, card="c1")


@pytest.mark.parametrize(
    ("table", "pairs", "said"),
    [
        ("silver_loan", {"barcode": "1"}, "no table"),
        ("silver_loans", {"bar": "1"}, "no column"),
        ("silver_loans", {"barcode": "one"}, '"one" is no bigint'),
        ("silver_loans", {}, "Nothing says which row"),
        ("gold_loans", {"loans": "2"}, "names no group"),
    ],
)
def test_what_cannot_be_asked_is_told_with_the_way_out(library: Lakehouse, table: str, pairs: dict[str, str], said: str) -> None:
    with pytest.raises(CannotRunError, match=said) as error:
        told(library, table, pairs, principal=WHO)
    assert error.value.fix


def test_the_command_prints_what_is_told(library: Lakehouse) -> None:
    root: Path = library.project.root
    found = CliRunner().invoke(app, ["why", "silver_loans", "barcode=10", "--as", WHO, "--project", str(root)])
    assert found.exit_code == 0, found.output
    for words in ("1. loans.tsv:2", "kept", "decided by: returned desc", "datediff(returned, lent)", "gold_loans (source)"):
        assert words in found.output
    nothing = CliRunner().invoke(app, ["why", "silver_loans", "barcode=99", "--project", str(root), "--format", "json"])
    assert nothing.exit_code == 1
    unclear = CliRunner().invoke(app, ["why", "silver_loans", "99", "--project", str(root)])
    assert (unclear.exit_code, "names no column" in unclear.output) == (2, True)


SCHEMA: dict[str, Any] = {"a": {"id": "int", "x": "int"}, "b": {"a_id": "int", "y": "int"}, "c": {"id": "int"}}


@pytest.mark.parametrize(
    ("sql", "equal"),
    [
        ("select a.id from a left join b on b.a_id = a.id", {("a", "id"), ("b", "a_id")}),
        ("select a.id from a join b on b.a_id = a.id or b.y = 1", {("a", "id")}),
        ("select a.id from a join b on b.a_id = a.id join c on c.id = b.a_id", {("a", "id"), ("b", "a_id"), ("c", "id")}),
        (
            "with g as (select a_id as k, sum(y) as s from b group by a_id) select a.id from a join g on g.k = a.id",
            {("a", "id"), ("b", "a_id")},
        ),
        ("with g as (select a_id + 1 as k from b) select a.id from a join g on g.k = a.id", {("a", "id")}),
        ("select id from a join c using (id)", {("a", "id"), ("c", "id")}),
        ("select a.id + 1 as id from a", set()),
        ("select a.id from a where not (a.id = a.x)", {("a", "id")}),
        ("select id from a union all select id from c", set()),
    ],
)
def test_columns_that_must_be_equal_are_found_and_no_others(sql: str, equal: set[tuple[str, str]]) -> None:
    assert equal_to(sql, "id", SCHEMA) == equal
