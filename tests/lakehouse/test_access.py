"""What is said to a workspace over HTTP brings it to what contracts say; a preview shows what masks and filters would."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from databricks.sdk import WorkspaceClient
from typer.testing import CliRunner

from framework.cli import app
from framework.lakehouse import access
from framework.lakehouse.access import access_steps, apply_access, catalog_access
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.preview import as_seen, may_read
from framework.plan.access.rehearsal import rights
from framework.plan.access.steps import PutFunction, TellDrift
from framework.plan.access.wanted import wanted
from framework.spec.problem import CannotRunError, RunError
from framework.spec.project import read_project
from tests.conftest import ROOT
from tests.lakehouse.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

    from framework.spec.project import Project


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """Return a workspace in which the tables are, and nothing of what contracts say."""
    found = Workspace()
    server = found.start()
    yield found
    server.shutdown()
    server.server_close()


def client(workspace: Workspace) -> WorkspaceClient:
    """Return a client for the workspace."""
    return WorkspaceClient(host=workspace.url, token="t")  # noqa: S106 - a server on loopback


@pytest.fixture
def lakehouse(product: Project, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """Return the first product where Databricks would be."""
    monkeypatch.setenv("DATABRICKS_WAREHOUSE_ID", "w1")
    return Lakehouse(product, "databricks")


def test_a_workspace_is_brought_to_what_contracts_say_and_read_back(workspace: Workspace, lakehouse: Lakehouse) -> None:
    workspace.table("gold_sales_by_category")
    workspace.tags["gold_sales_by_category", ""] = {"pii": "name", "cost": "7"}
    workspace.grants["table/zoltan-verebes-catalog-m.dg-day.gold_sales_by_category"] = {
        "marketing_analysts": {"SELECT"},
        "auditors": {"SELECT"},
    }
    there = catalog_access(lakehouse, client(workspace))
    done = apply_access(lakehouse, there)
    assert workspace.pages, "grants come in pages"
    assert [step.principal for step in done if isinstance(step, TellDrift)] == ["auditors"]
    assert [step for step in access_steps(lakehouse, there) if not isinstance(step, TellDrift)] == []
    customers = workspace.tables["silver_customers"]
    masks = {name: column["mask"]["function_name"] for name, column in customers["columns"].items() if "mask" in column}
    assert masks["email"] == "zoltan-verebes-catalog-m.dg-day.lakepact_mask_contact_string"
    assert masks["lon"].endswith(".lakepact_mask_location_decimal_9_6_" + masks["lon"].rsplit("_", 1)[1])
    assert "customer_id" not in masks
    assert (customers["owner"], customers["columns"]["email"]["comment"]) == ("data_engineers", "E-mail address in lower case.")
    assert workspace.tags["gold_sales_by_category", ""] == {"cost": "7", "layer": "gold"}
    assert workspace.tags["silver_customers", "email"] == {"pii": "contact"}
    assert workspace.grants["table/zoltan-verebes-catalog-m.dg-day.gold_sales_by_category"] == {
        "marketing_analysts": set(),
        "auditors": {"SELECT"},
        "sales_analysts": {"SELECT"},
        "data_engineers": {"SELECT", "MODIFY"},
    }
    assert workspace.grants["schema/zoltan-verebes-catalog-m.dg-day"]["sales_analysts"] == {"USE_SCHEMA"}
    made = [name for name in workspace.tables if name != "gold_sales_by_category"]
    assert set(made) == {name for name, one in wanted(lakehouse.project).tables.items() if one.masks and one.is_made_by_runs}


def test_a_mask_that_says_something_else_is_put_in_place(workspace: Workspace, lakehouse: Lakehouse) -> None:
    there = catalog_access(lakehouse, client(workspace))
    apply_access(lakehouse, there)
    workspace.functions["lakepact_mask_contact_string"] = "lakepact of another time"
    steps = access_steps(lakehouse, there)
    assert [type(step) for step in steps] == [PutFunction]
    apply_access(lakehouse, there)
    assert access_steps(lakehouse, there) == ()


def test_a_refused_statement_is_told_and_the_next_apply_goes_on(workspace: Workspace, lakehouse: Lakehouse) -> None:
    there = catalog_access(lakehouse, client(workspace))
    workspace.refused = "ALTER COLUMN `email` SET MASK"
    with pytest.raises(RunError, match=r"SET MASK.*\n.*was refused: PERMISSION_DENIED"):
        apply_access(lakehouse, there)
    granted = [privileges for name, grants in workspace.grants.items() if name.startswith("table/") for privileges in grants.values()]
    assert not any(granted), "nothing is granted before all masks are there"
    workspace.refused = ""
    apply_access(lakehouse, there)
    assert access_steps(lakehouse, there) == ()


def test_statements_without_a_warehouse_are_refused_before_anything_is_done(
    workspace: Workspace, lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_WAREHOUSE_ID")
    with pytest.raises(CannotRunError, match="no SQL warehouse"):
        apply_access(lakehouse, catalog_access(lakehouse, client(workspace)))
    assert workspace.statements == []


def test_a_workspace_that_does_not_answer_is_told_in_words(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("DATABRICKS_TOKEN", "a-secret")
    monkeypatch.setattr(access, "_TRIED_SECONDS", 1)
    with pytest.raises(CannotRunError, match="The catalog cannot be read") as error:
        access_steps(lakehouse, catalog_access(lakehouse))
    assert "a-secret" not in str(error.value)


def test_the_commands_say_what_they_need_and_what_they_show(
    workspace: Workspace, lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CliRunner().invoke
    folders = call(app, ["plan", "access", "--project", str(ROOT)])
    assert (folders.exit_code, "keeps tables in folders" in folders.output) == (2, True)
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "/nowhere")
    nowhere = call(app, ["plan", "access", "--env", lakehouse.name, "--project", str(ROOT)])
    assert (nowhere.exit_code, "which workspace" in nowhere.output) == (2, True), nowhere.output
    monkeypatch.setenv("DATABRICKS_HOST", workspace.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", "t")
    planned = call(app, ["plan", "access", "--env", lakehouse.name, "--project", str(ROOT)])
    assert planned.exit_code == 0, planned.output
    assert "`gold_sales_by_product`" not in planned.output, "it has no masks, and is not there yet"
    assert "SET MASK `zoltan-verebes-catalog-m`.`dg-day`.`lakepact_mask_contact_string`" in planned.output
    applied = call(app, ["apply", "access", "--project", str(ROOT)])
    assert (applied.exit_code, "read back" in applied.output) == (0, True), applied.output
    again = call(app, ["apply", "access", "--project", str(ROOT)])
    assert "Nothing to change" in again.output
    other = call(app, ["apply", "excess", "--project", str(ROOT)])
    assert other.exit_code == 2


def test_who_may_see_what_is_shown_without_a_workspace() -> None:
    call = CliRunner().invoke
    matrix = call(app, ["access", "--project", str(ROOT)])
    row = next(line for line in matrix.output.splitlines() if line.startswith("gold_sales_by_category"))
    assert row.split() == ["gold_sales_by_category", "owner/select/modify", "·", "select"]
    person = call(app, ["access", "sales_analysts", "--project", str(ROOT)])
    assert "gold_sales_by_product: select  contracts/gold/sales_by_product.yml:27" in person.output
    assert "silver" not in person.output
    nobody = call(app, ["access", "sale_analysts", "--project", str(ROOT)])
    assert (nobody.exit_code, 'did you mean "sales_analysts"' in nobody.output) == (2, True)


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with masks and a filter, in which analysts see masks."""
    root: Path = tmp_path_factory.mktemp("preview")
    shutil.copytree(ROOT / "tests/bad_contracts/project", root, dirs_exist_ok=True)
    (root / "metadata/pii.yml").write_text(
        "name: {description: What a person is called.}\n"
        "contact: {description: Where a person is reached., mask: \"concat('•••', right(value, 2)) /* ) */\"}\n"
    )
    (root / "contracts/silver_seen.yml").write_text(
        "table: silver_seen\nlayer: silver\nowner: engineers\ndescription: Who came.\nsource: silver_good\ncolumns:\n"
        "  - {name: id, type: bigint, required: true}\n"
        "  - {name: mail, type: string, pii: contact}\n"
        "  - {name: letters, type: int, expr: length(mail), pii: contact}\n"
        "  - {name: first, type: string, expr: mail, pii: contact, mask: \"regexp_replace(value, r'\\\\W.*', '')\"}\n"
        "  - {name: home state, type: string, expr: word}\n"
        "dedupe: {key: [id], tie_break: [id]}\ngrants: {engineers: [select, modify], analysts: [select]}\nmasked_for: [analysts]\n"
        "row_filter: {use: own_state, on: {state: home state}}\n"
    )
    return read_project(root)


ROWS = "(1, 'ada@x.org', 9, 'ada@x.org', 'CA'), (2, 'bob@y.org', 9, 'bob@y.org', 'NY'), (3, null, null, null, null)"


def test_a_preview_shows_rows_as_a_principal_gets_them(spark: SparkSession, masked: Project) -> None:
    rows = spark.sql(f"SELECT * FROM VALUES {ROWS} AS t(id, mail, letters, first, `home state`)")  # noqa: S608 - rows of our own

    def seen(principal: str) -> list[tuple[Any, ...]]:
        may_read(masked, "silver_seen", principal)
        found = as_seen(masked, "silver_seen", principal, rows)
        assert found.dtypes == rows.dtypes, "masks keep the types"
        return sorted(tuple(row) for row in found.collect())

    assert len(seen("engineers")) == 3
    assert seen("analysts") == [(1, "•••rg", None, "ada", "CA")]
    with pytest.raises(CannotRunError, match="no contract grants it"):
        seen("readers")
    (right,) = [one for one in rights(masked) if (one.principal, one.table) == ("analysts", "silver_seen")]
    assert (right.masked, right.clear, right.rows) == (("mail", "letters", "first"), (), "state = 'CA'")


def test_functions_give_in_spark_what_a_preview_shows(spark: SparkSession, masked: Project) -> None:
    """Spark knows SQL functions; what the catalog would ask of a group is asked of a function of that name."""
    spark.sql("CREATE OR REPLACE TEMPORARY FUNCTION is_account_group_member(name STRING) RETURNS BOOLEAN RETURN name = 'analysts'")
    try:
        for name, function in wanted(masked).functions.items():
            parameters = ", ".join(f"`{one}` {type_}" for one, type_ in function.parameters)
            spark.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {name}({parameters}) RETURNS {function.returns} RETURN {function.body}")
        one = wanted(masked).tables["silver_seen"]
        assert one.filter is not None
        masks = ", ".join(f"{one.masks[name]}(`{name}`) AS `{name}`" for name in ("mail", "letters", "first"))
        sql = f"SELECT id, {masks}, `home state` FROM VALUES {ROWS} AS t(id, mail, letters, first, `home state`)"  # noqa: S608
        found = spark.sql(f"{sql} WHERE {one.filter[0]}(`home state`)").collect()
        assert [tuple(row) for row in found] == [(1, "•••rg", None, "ada", "CA")]
    finally:
        for name in ("is_account_group_member", *wanted(masked).functions):
            spark.sql(f"DROP TEMPORARY FUNCTION IF EXISTS {name}")


def test_in_a_job_statements_go_through_its_own_session(
    spark: SparkSession, workspace: Workspace, lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_WAREHOUSE_ID")
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setattr(type(spark), "getActiveSession", lambda: None)
    monkeypatch.setattr("framework.lakehouse.session._start_local", lambda *_: pytest.fail("a job has a session"))
    there = catalog_access(lakehouse, client(workspace))
    assert there.sql("SELECT * FROM VALUES (1, 'a'), (2, null) AS t(x, y)") == [["1", "a"], ["2", None]]
