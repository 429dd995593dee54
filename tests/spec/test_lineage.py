"""Where columns come from, and the proof that nobody reads personal data who is not cleared for it."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from framework.cli import app
from framework.spec.findings import validated
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from framework.spec.project import Project


@pytest.fixture
def product_copy(tmp_path: Path) -> Path:
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / part, tmp_path / part)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    """Change one thing in a file, which must be there."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{old} is there {text.count(old)} times"
    path.write_text(text.replace(old, new), "utf-8")


def errors(root: Path) -> list[tuple[str, str]]:
    """Return code and wording of all errors."""
    return [(problem.code, problem.what) for problem in validated(root, use_cache=False).errors]


def test_sales_analysts_see_nothing_that_comes_from_personal_data(product: Project) -> None:
    lineage = product.lineage
    clear = set(product.metadata.principals["sales_analysts"].clearance)
    seen = [name for name, facts in product.facts.items() if "sales_analysts" in facts.grants]
    assert sorted(seen) == ["gold_sales_by_category", "gold_sales_by_product"]
    for table in seen:
        for column in product.facts[table].columns:
            assert set(lineage.taint((table, column))) <= clear
            classes = {kind for step in lineage.walk([(table, column)], up=True) for kind in lineage.taint(step.above)}
            assert classes <= clear, f"{table}.{column} is made of {classes}, whatever anybody declassified"


def test_the_name_of_a_customer_in_sales_is_refused_with_the_path_it_took(product_copy: Path) -> None:
    gold = product_copy / "contracts/gold/sales_by_product.yml"
    change(gold, "joins:\n", "joins:\n  - {table: silver_customers, on: [customer_id], take: [customer_name]}\n")
    column = "  - {name: customer_name, type: string, measure: max(customer_name), description: Who bought.}\n"
    change(gold, "  - {name: revenue,", f"{column}  - {{name: revenue,")
    path = "bronze_customers.customer_name → silver_customers.customer_name → gold_sales_by_product.customer_name"
    found = errors(product_copy)
    assert [code for code, _ in found] == ["undeclared-pii", "pii-leak"]
    assert all(path in what for _, what in found)
    assert "sales_analysts may read the table" in found[1][1]
    change(gold, "customer_name, type: string, measure", "customer_name, pii: name, type: string, measure")
    assert [code for code, _ in errors(product_copy)] == ["pii-leak"], "saying what it is does not make it less"


@pytest.mark.parametrize(
    ("declassified", "code"),
    [
        ("", "undeclared-pii"),
        (", declassified: {from: name, method: count, reason: A number of people tells nobody.}", None),
        (", declassified: {from: name, method: hash, reason: A number of people tells nobody.}", "false-declassification"),
    ],
)
def test_a_count_of_people_is_personal_until_the_contract_says_why_not(declassified: str, code: str | None, product_copy: Path) -> None:
    gold = product_copy / "contracts/gold/sales_by_category.yml"
    change(gold, "joins:\n", "joins:\n  - {table: silver_customers, on: [customer_id], take: [customer_name]}\n")
    column = f"  - {{name: buyers, type: bigint, measure: count(distinct customer_name), description: Buyers.{declassified}}}\n"
    change(gold, "  - {name: revenue,", f"{column}  - {{name: revenue,")
    codes = [one for one, _ in errors(product_copy)]
    assert codes == ([] if code is None else [code]) or (code == "undeclared-pii" and set(codes) == {"undeclared-pii", "pii-leak"})


def test_a_clearance_that_is_taken_back_is_missed_at_once(product_copy: Path) -> None:
    change(product_copy / "metadata/principals.yml", "clearance: [name, contact, address]", "clearance: [name, contact]")
    found = errors(product_copy)
    assert {code for code, _ in found} == {"pii-leak"}
    assert any("gold_marketing_customers.street" in what and '"address"' in what for _, what in found)


def test_the_quarantine_shows_what_its_source_holds(product_copy: Path) -> None:
    sales = product_copy / "contracts/silver/sales.yml"
    sales.write_text(sales.read_text("utf-8") + "quarantine: {grants: {sales_analysts: [select]}}\n", "utf-8")
    (problem,) = errors(product_copy)
    assert problem[0] == "pii-leak"
    assert "silver_sales_quarantine" in problem[1]
    assert "bronze_sales.customer_name" in problem[1]


def lineage(*arguments: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(app, ["lineage", *arguments, "--project", str(ROOT)])
    assert result.exit_code == 0, result.output
    return result.output


def test_up_goes_through_lookups_expressions_and_json() -> None:
    text = lineage("silver_order_lines.amount")
    assert text.startswith("silver_order_lines.amount\n")
    assert "bronze_sales_orders.ordered_products" in text
    assert "silver_products.unit_price" in text, "the price that is looked up where the line has none"
    assert "bronze_sales.product" in text


def test_down_goes_through_joins_aggregates_and_sql() -> None:
    text = lineage("bronze_sales_orders.ordered_products", "--down")
    for column in ("gold_sales_by_category.revenue", "gold_marketing_customers.total_spend", "gold_marketing_customers.favourite_category"):
        assert column in text
    assert "aggregated: sum(amount)" in text


def test_json_has_nodes_with_their_classes_and_edges_that_meet() -> None:
    record = json.loads(lineage("gold_marketing_customers", "--format", "json"))
    names = {f"{one['table']}.{one['column']}" for one in record["columns"]}
    assert {one["from"] for one in record["edges"]} | {one["to"] for one in record["edges"]} <= names
    by_name = {f"{one['table']}.{one['column']}": one for one in record["columns"]}
    assert by_name["gold_marketing_customers.email"]["pii"] == ["contact"]
    assert by_name["silver_customers.timezone"] | {"type": ""} == {
        "table": "silver_customers",
        "column": "timezone",
        "type": "",
        "pii": [],
        "declassified": ["address"],
    }


def test_mermaid_declares_every_node_that_it_draws() -> None:
    chart = lineage("gold_sales_by_product", "--format", "mermaid")
    assert chart.startswith("flowchart LR\n")
    declared = set(re.findall(r"^    (c\d+)\[", chart, re.MULTILINE))
    drawn = {node for arrow in re.findall(r"^  (c\d+) \S+ (c\d+)$", chart, re.MULTILINE) for node in arrow}
    assert drawn
    assert drawn <= declared
    assert chart.count("subgraph") == chart.count("  end\n")


def test_a_column_that_is_not_there_is_told_with_the_nearest() -> None:
    result = CliRunner().invoke(app, ["lineage", "silver_orders.order_numbr", "--project", str(ROOT)])
    assert result.exit_code == 2
    assert 'did you mean "order_number"' in result.output


HIDDEN = {
    "pivot": "select * from (select day, mail, n from silver_good) pivot (max(mail) for n in (1, 2))",
    "lateral": "select day, x as label from silver_good lateral view explode(split(mail, '@')) e as x",
    "lateral of lateral": "select day, y as label from silver_good "
    "lateral view explode(split(mail, '@')) e as x lateral view explode(array(x)) f as y",
    "recursive": "with recursive r as (select day, mail as label from silver_good union all select day, label from r) "
    "select day, label from r",
    "subquery": "select day, (select max(mail) from silver_good) as label from silver_good",
    "union": "select day, word as label from silver_good union all select day, mail from silver_good",
    "case": "select day, case when mail like 'a%' then 1 else 0 end as label from silver_good",
    "window": "select day, first_value(mail) over (partition by day order by id) as label from silver_good",
    "struct": "select day, named_struct('a', mail).a as label from silver_good",
    "lambda": "select day, transform(array(mail), x -> upper(x))[0] as label from silver_good",
    "inline": "select day, inline(array(struct(mail as label))) from silver_good",
    "rank": "select day, row_number() over (order by mail) as label from silver_good",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_personal_data_is_followed_through_whatever_sql_there_is(name: str, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(ROOT / "tests/bad_contracts/project", root)
    head = "table: gold_hidden\nlayer: gold\ndescription: A query.\ngrants: {analysts: [select]}\n"
    columns = "columns:\n  - {name: day, type: date}\n  - {name: label, type: string}\n"
    (root / "contracts/hidden.yml").write_text(f"{head}sql: |\n  {HIDDEN[name]}\n{columns}", "utf-8")
    codes = {problem.code for problem in validated(root, use_cache=False).errors}
    assert {"undeclared-pii", "pii-leak"} <= codes
