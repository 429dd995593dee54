"""Whatever a catalog holds, the steps bring it to what contracts say, protected before published, and no name breaks out of a statement."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from framework.plan.access import steps as kinds
from framework.plan.access.differences import ALL, Seen, SeenTable, differences
from framework.plan.access.rehearsal import rights
from framework.plan.access.statements import statement
from framework.plan.access.steps import ORDER, AccessStep, Grant, MakeTable, PutFunction, Revoke, SetFilter, SetMask, TellDrift
from framework.plan.access.wanted import Function, Wanted, WantedTable, wanted
from framework.spec.access import PARTS, Access
from framework.spec.problem import CannotRunError
from framework.spec.project import Project, read_project
from tests.conftest import ROOT
from tests.plan.catalog import after

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = ("my-catalog", "dg-day")
EVIL = [
    "plain",
    "dg-day",
    "a`b",
    "it's",
    'say "x"',
    "x) ; DROP TABLE y; --",
    "select",
    "größe",
    "日本",
    "back\\slash",
    "/* c */",
    "n" * 255,
    "a\nb",
]
PEOPLE = ("owners", "readers", "o'neill`s", "strangers", "admins")
KNOWN = PEOPLE[:3]


privileges = st.frozensets(st.sampled_from(["SELECT", "MODIFY", "APPLY_TAG", "MANAGE", ALL]), max_size=3)
given_above = st.dictionaries(
    st.sampled_from(PEOPLE), st.frozensets(st.sampled_from(["USE_SCHEMA", "USE_CATALOG", "SELECT", ALL]), max_size=2)
)
tags = st.dictionaries(st.sampled_from(["layer", "pii", "cost_centre"]), st.sampled_from(["a", "b"]), max_size=2)
columns = ["id", "Mail", "a`b"]
functions = {name: Function(name, (("value", "string"),), "string", body) for name, body in (("f1", "null"), ("f2", "value"))}
lowered = st.sampled_from([str.lower, str])
seen_tables = st.builds(
    SeenTable,
    owner=st.sampled_from(PEOPLE),
    comment=st.sampled_from(["", "old"]),
    comments=st.dictionaries(st.sampled_from(columns), st.just("old")),
    tags=tags,
    column_tags=st.dictionaries(st.sampled_from(columns), tags),
    grants=st.dictionaries(st.sampled_from(PEOPLE), privileges),
    masks=st.dictionaries(st.sampled_from(["id", "mail"]), st.sampled_from(["f1", "f3"])),
    filter=st.none() | st.just(("f1", ("ID",))) | st.just(("f3", ())),
)
own_tags = tags.map(lambda found: {key: value for key, value in found.items() if key != "cost_centre"})


@st.composite
def wanted_tables(draw: st.DrawFn, name: str) -> WantedTable:
    return WantedTable(
        name,
        draw(st.sampled_from(KNOWN)),
        draw(st.sampled_from(["new", "it's"])),
        dict.fromkeys(columns, "string"),
        draw(st.dictionaries(st.sampled_from(columns), st.just("new"))),
        draw(own_tags),
        draw(st.dictionaries(st.sampled_from(columns), own_tags)),
        draw(st.dictionaries(st.sampled_from(KNOWN), st.frozensets(st.sampled_from(["SELECT", "MODIFY"]), min_size=1))),
        draw(st.dictionaries(st.sampled_from(columns), st.sampled_from(["f1", "f2"]))),
        draw(st.none() | st.just(("f1", ("id",)))),
        draw(st.booleans()),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Wanted, Seen, Access]:
    names = draw(st.lists(st.sampled_from(EVIL[:6]), unique=True, max_size=3))
    want = Wanted({name: draw(wanted_tables(name)) for name in names}, functions)
    tables = {name: draw(seen_tables) for name in names if draw(st.booleans())}
    seen = Seen(
        tables,
        draw(st.dictionaries(st.sampled_from(["f1", "f3"]), st.sampled_from(["old", functions["f1"].comment]))),
        draw(given_above),
        draw(given_above),
    )
    access = Access(
        manage=draw(st.lists(st.sampled_from(PARTS), min_size=1, unique=True)),
        strangers=draw(st.sampled_from(["report", "remove"])),
        unmanaged=draw(st.lists(st.sampled_from(["admins"]), unique=True)),
    )
    return want, seen, access


@given(cases())
@settings(max_examples=300, deadline=None)
def test_any_catalog_becomes_what_contracts_say_and_a_second_plan_is_empty(case: tuple[Wanted, Seen, Access]) -> None:
    want, seen, access = case
    steps = differences(want, seen, access, KNOWN)
    then = after(seen, steps)
    assert [step for step in differences(want, then, access, KNOWN) if not isinstance(step, TellDrift)] == []
    for name, there in then.tables.items():
        holds(want.tables[name], there, access)
        before = seen.tables.get(name, SeenTable()).tags
        assert there.tags.get("cost_centre") == before.get("cost_centre"), "a tag of somebody else's is left alone"
    if "admins" in access.unmanaged:
        assert all(not isinstance(step, Grant | Revoke | TellDrift) or step.principal != "admins" for step in steps)
    if "grants" in access.manage:
        for reader in want.readers:
            assert {"USE_SCHEMA", ALL} & then.schema.get(reader, frozenset())
            assert {"USE_CATALOG", ALL} & then.catalog.get(reader, frozenset())


def holds(one: WantedTable, there: SeenTable, access: Access) -> None:
    """Check that what is managed of a table is as it is wanted."""
    checks = {
        "masks": lambda: {column.lower(): f for column, f in there.masks.items()} == {column.lower(): f for column, f in one.masks.items()},
        "filters": lambda: (there.filter is None) == (one.filter is None),
        "owners": lambda: there.owner == one.owner,
        "comments": lambda: there.comment == one.comment,
        "tags": lambda: {key: value for key, value in there.tags.items() if key != "cost_centre"} == one.tags,
        "grants": lambda: (
            all(there.grants.get(person, frozenset()) == one.grants.get(person, frozenset()) for person in KNOWN)
            and (access.strangers == "report" or not there.grants.get("strangers"))
        ),
    }
    assert [part for part in access.manage if not checks[part]()] == []


@given(cases(), st.data())
@settings(max_examples=150, deadline=None)
def test_an_apply_that_stops_anywhere_is_finished_by_the_next_and_shows_nobody_more_meanwhile(
    case: tuple[Wanted, Seen, Access], data: st.DataObject
) -> None:
    want, seen, access = case
    access = access.model_copy(update={"manage": list(PARTS)})
    steps = differences(want, seen, access, KNOWN)
    stopped = after(seen, steps[: data.draw(st.integers(0, len(steps)))])
    for name, there in stopped.tables.items():
        before = seen.tables.get(name, SeenTable()).grants
        for person, has in there.grants.items():
            if has - before.get(person, frozenset()):
                have = {column.lower() for column in there.masks}
                assert {column.lower() for column in want.tables[name].masks} <= have, "granted before it was masked"
                assert want.tables[name].filter is None or there.filter is not None, "granted before it was filtered"
    then = after(stopped, differences(want, stopped, access, KNOWN))
    assert [step for step in differences(want, then, access, KNOWN) if not isinstance(step, TellDrift)] == []


def test_all_privileges_are_taken_and_what_a_contract_gives_is_given_again() -> None:
    table = WantedTable("t", "owners", "", {}, grants={"readers": frozenset({"SELECT"})})
    seen = Seen({"t": SeenTable("owners", grants={"readers": frozenset({ALL, "SELECT"})})}, {}, {"readers": frozenset({"USE_SCHEMA"})})
    steps = differences(Wanted({"t": table}, {}), seen, Access(manage=["grants"]), KNOWN)
    assert [
        (type(step).__name__, step.principal, step.privileges)
        for step in steps
        if isinstance(step, Grant | Revoke) and step.level == "table"
    ] == [
        ("Revoke", "readers", (ALL,)),
        ("Grant", "readers", ("SELECT",)),
    ]


def test_what_opens_all_tables_from_above_is_told_and_taken_back_where_the_schema_is_ours() -> None:
    table = WantedTable("t", "owners", "", {}, grants={"readers": frozenset({"SELECT"})})
    wide = {"readers": frozenset({"SELECT", "USE_SCHEMA", "USE_CATALOG"}), "owners": frozenset({ALL}), "strangers": frozenset({"SELECT"})}
    steps = differences(Wanted({"t": table}, {}), Seen({"t": SeenTable()}, {}, wide, wide), Access(manage=["grants"]), KNOWN)
    assert [(type(step).__name__, getattr(step, "level", ""), getattr(step, "principal", "")) for step in steps] == [
        ("Revoke", "schema", "readers"),
        ("Grant", "table", "readers"),
        ("TellDrift", "catalog", "readers"),
        ("TellDrift", "catalog", "strangers"),
        ("TellDrift", "schema", "strangers"),
    ]


# What contracts say
@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the project of good contracts with masks, a filter, and a reader who sees masks."""
    root = tmp_path_factory.mktemp("masked")
    shutil.copytree(ROOT / "tests/bad_contracts/project", root, dirs_exist_ok=True)
    (root / "metadata/pii.yml").write_text(
        "name: {description: What a person is called., mask: \"'•••'\"}\n"
        "contact: {description: Where a person is reached., mask: \"concat('•••', right(value, 2)) /* ) */\"}\n"
    )
    (root / "contracts/silver_seen.yml").write_text(
        "table: silver_seen\nlayer: silver\nowner: engineers\ndescription: Who came, it's said.\nsource: silver_good\ncolumns:\n"
        "  - {name: id, type: bigint, required: true, description: 'The \\ visit.'}\n"
        "  - {name: mail, type: string, pii: contact}\n"
        "  - {name: letters, type: int, expr: length(mail), pii: contact}\n"
        "  - {name: both, type: string, expr: mail, pii: [contact, name]}\n"
        '  - {name: own, type: string, expr: mail, pii: contact, mask: "left(value, 1)"}\n'
        "  - {name: open, type: string, expr: mail, pii: contact, mask: false}\n"
        "  - {name: state, type: string, expr: word}\n"
        "dedupe: {key: [id], tie_break: [id]}\ngrants: {engineers: [select, modify]}\nrow_filter: own_state\n"
    )
    return read_project(root)


def test_contracts_say_masks_filters_tags_and_grants(masked: Project) -> None:
    found = wanted(masked)
    one = found.tables["silver_seen"]
    assert one.masks == {
        "mail": "lakepact_mask_contact_string",
        "letters": "lakepact_mask_contact_int",
        "both": "lakepact_mask_contact_name_string",
        "own": "lakepact_mask_silver_seen_own",
    }
    assert one.filter == ("lakepact_filter_own_state", ("state",))
    assert one.column_tags == {name: {"pii": "contact"} for name in ("mail", "letters", "own", "open")} | {"both": {"pii": "contact,name"}}
    assert (one.tags, one.owner) == ({"layer": "silver", "pii": "contact,name"}, "engineers")
    assert one.grants == {"engineers": frozenset({"SELECT", "MODIFY"})}
    bodies = {name: function.body for name, function in found.functions.items()}
    clear = "is_account_group_member('engineers')"
    assert (
        bodies["lakepact_mask_contact_string"] == f"CASE WHEN {clear} THEN `value` ELSE CAST(concat('•••', right(value, 2)) AS string) END"
    )
    assert bodies["lakepact_mask_contact_int"] == f"CASE WHEN {clear} THEN `value` ELSE CAST(NULL AS int) END"
    assert bodies["lakepact_mask_contact_name_string"].endswith("ELSE CAST(NULL AS string) END"), "two masks may show what one hides"
    assert bodies["lakepact_filter_own_state"] == f"{clear} OR (is_account_group_member('analysts') AND COALESCE(state = 'CA', FALSE))"


def test_every_kind_of_step_has_its_statement() -> None:
    function = Function("f", (("value", "decimal(9,2)"),), "decimal(9,2)", "NULL")
    t = "`my-catalog`.`dg-day`.`t`"
    told = {
        MakeTable(
            "t", "", (("a`b", "int"), ("c", "array<string>")), "it's"
        ): f"CREATE TABLE IF NOT EXISTS {t} (`a``b` int, `c` array<string>) USING DELTA COMMENT 'it\\'s'",
        PutFunction("", "", function): "CREATE OR REPLACE FUNCTION `my-catalog`.`dg-day`.`f`(`value` decimal(9,2)) RETURNS decimal(9,2) "
        f"COMMENT '{function.comment}' RETURN NULL",
        SetMask("t", "", "c", "f"): f"ALTER TABLE {t} ALTER COLUMN `c` SET MASK `my-catalog`.`dg-day`.`f`",
        kinds.DropMask("t", "", "c"): f"ALTER TABLE {t} ALTER COLUMN `c` DROP MASK",
        SetFilter("t", "", "f", ("a", "b")): f"ALTER TABLE {t} SET ROW FILTER `my-catalog`.`dg-day`.`f` ON (`a`, `b`)",
        kinds.DropFilter("t", ""): f"ALTER TABLE {t} DROP ROW FILTER",
        kinds.SetTags("t", "", "", (("layer", "gold"),)): f"ALTER TABLE {t} SET TAGS ('layer' = 'gold')",
        kinds.SetTags("t", "", "c", (("pii", "a,b"),)): f"ALTER TABLE {t} ALTER COLUMN `c` SET TAGS ('pii' = 'a,b')",
        kinds.UnsetTags("t", "", "c", ("pii", "layer")): f"ALTER TABLE {t} ALTER COLUMN `c` UNSET TAGS ('pii', 'layer')",
        kinds.SetComment("t", "", "", "x"): f"COMMENT ON TABLE {t} IS 'x'",
        kinds.SetComment("t", "", "c", "x"): f"ALTER TABLE {t} ALTER COLUMN `c` COMMENT 'x'",
        Grant("t", "", "table", "a b", ("MODIFY", "SELECT")): f"GRANT MODIFY, SELECT ON TABLE {t} TO `a b`",
        Grant("", "", "schema", "a", ("USE_SCHEMA",)): "GRANT USE SCHEMA ON SCHEMA `my-catalog`.`dg-day` TO `a`",
        Revoke("", "", "catalog", "a", ("ALL_PRIVILEGES",)): "REVOKE ALL PRIVILEGES ON CATALOG `my-catalog` FROM `a`",
        kinds.SetOwner("t", "", "a"): f"ALTER TABLE {t} SET OWNER TO `a`",
        TellDrift("t", "", "table", "a", ("SELECT",)): "",
    }
    assert {step: statement(step, SCHEMA) for step in told} == told
    assert {type(step) for step in told} == set(ORDER)


def steps_with(name: str) -> list[AccessStep]:
    """Return a step of each kind in which everything that can be named is named so."""
    return [
        MakeTable(name, "", ((name, "int"),), name),
        PutFunction("", "", Function(name, ((name, "string"),), "string", "NULL")),
        SetMask(name, "", name, name),
        kinds.DropMask(name, "", name),
        SetFilter(name, "", name, (name,)),
        kinds.DropFilter(name, ""),
        kinds.SetTags(name, "", name, ((name, name),)),
        kinds.UnsetTags(name, "", name, (name,)),
        kinds.SetComment(name, "", name, name),
        Grant(name, "", "table", name, ("SELECT",)),
        Revoke(name, "", "table", name, ("SELECT",)),
        kinds.SetOwner(name, "", name),
    ]


def shape(sql: str) -> list[TokenType]:
    """Return the kinds of the words of a statement."""
    return [token.token_type for token in sqlglot.tokenize(sql, read="databricks")]


@pytest.mark.parametrize("name", EVIL)
def test_no_name_breaks_out_of_a_statement(name: str) -> None:
    for step, plain in zip(steps_with(name), steps_with("x"), strict=True):
        schema = (name, name)
        assert shape(statement(step, schema)) == shape(statement(plain, ("x", "x"))), statement(step, schema)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_text_at_all_breaks_out_of_a_statement(name: str) -> None:
    for step, plain in zip(steps_with(name), steps_with("x"), strict=True):
        assert shape(statement(step, (name, name))) == shape(statement(plain, ("x", "x")))


def test_a_mask_is_one_expression_whatever_its_comments_hold(masked: Project) -> None:
    for function in wanted(masked).functions.values():
        sql = statement(PutFunction("", "", function), SCHEMA)
        assert TokenType.SEMICOLON not in shape(sql)
        assert isinstance(sqlglot.parse_one(function.body, read="databricks"), exp.Case | exp.Or)
        assert "/*" not in sql


def test_a_name_that_a_catalog_does_not_take_is_told(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests/library", tmp_path, dirs_exist_ok=True)
    path = tmp_path / "contracts/gold_loans.yml"
    path.write_text(path.read_text("utf-8").replace("table: gold_loans", "table: gold loans"))
    with pytest.raises(CannotRunError, match='takes no table "gold loans"'):
        wanted(read_project(tmp_path))


def test_the_rehearsal_says_who_sees_what_and_by_which_line(product: Project, masked: Project) -> None:
    told = {(one.principal, one.table): one for one in rights(product)}
    assert {table for principal, table in told if principal == "sales_analysts"} == {"gold_sales_by_product", "gold_sales_by_category"}
    marketing = told["marketing_analysts", "gold_marketing_customers"]
    assert marketing.privileges == ("select",)
    assert marketing.granted_at == "contracts/gold/marketing_customers.yml:68"
    assert "email" in marketing.clear
    assert marketing.masked == ()
    assert told["data_engineers", "silver_customers"].granted_at == "metadata/layers.yml:12"
    (seen,) = [one for one in rights(masked) if one.table == "silver_seen"]
    assert (seen.is_owner, seen.rows) == (True, "all")
