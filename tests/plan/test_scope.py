"""By which columns a part of a table can be worked out, as its contract says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from framework.plan.scope import Sums, is_contest, needs_of, scope_of, sums_of
from framework.spec.columns import MappedColumn
from framework.spec.project import Project, read_project
from framework.spec.table import GroupedTable, MappedTable
from tests.conftest import ROOT

if TYPE_CHECKING:
    from framework.plan.scope import Needs


@pytest.fixture(scope="module")
def model() -> Project:
    """Return the project with a table of each kind."""
    return read_project(ROOT / "tests/model/project")


def mapped(project: Project, name: str) -> MappedTable:
    """Return a mapped table."""
    table = project.tables[name]
    assert isinstance(table, MappedTable)
    return table


def needs(project: Project, table: MappedTable, other: str) -> tuple[Needs, ...] | None:
    """Return what rows of a table take from another."""
    scope = scope_of(table, project.tables)
    assert scope is not None
    return needs_of(table, scope, other)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("silver_depots", ("code",)),
        ("silver_depots_history", ("code",)),  # a version ends where the next begins: all of them together
        ("silver_parcels", ("parcel",)),
        ("silver_contents", ("parcel",)),  # its source's key
        ("silver_scans", ("parcel", "seen")),  # whole rows are compared; a value that may be emptied tells nothing
    ],
)
def test_the_scope_is_what_a_source_row_tells(model: Project, table: str, columns: tuple[str, ...]) -> None:
    scope = scope_of(mapped(model, table), model.tables)
    assert scope is not None
    assert scope.columns == columns


def test_a_key_that_is_known_only_after_exploding_is_no_scope(model: Project) -> None:
    goods = mapped(model, "silver_goods")
    assert scope_of(goods, model.tables) is None
    assert is_contest(goods, model.tables)


def test_a_contest_needs_old_rows_that_cannot_change(model: Project) -> None:
    goods = mapped(model, "silver_goods")
    looked_up = MappedColumn.model_validate(
        {"name": "depot", "type": "string", "lookup": {"table": "silver_depots", "on": {"label": "code"}, "take": "name"}}
    )
    assert not is_contest(goods.model_copy(update={"columns": [*goods.columns, looked_up]}), model.tables)
    assert not is_contest(mapped(model, "silver_depots_history"), model.tables), "versions need their neighbours"
    derived = goods.model_copy(update={"sources": [goods.sources[0].model_copy(update={"table": "silver_parcels"})]})
    assert not is_contest(derived, model.tables), "rows of a table that is worked out may go"


def test_a_key_made_of_a_lookup_or_an_emptied_value_is_no_scope(model: Project) -> None:
    parcels = mapped(model, "silver_parcels")
    by_region = parcels.model_copy(update={"dedupe": parcels.dedupe.model_copy(update={"key": ["region"]})})  # type: ignore[union-attr]
    assert scope_of(by_region, model.tables) is None


def test_a_check_and_a_lookup_say_which_rows_another_table_changes(model: Project) -> None:
    found = needs(model, mapped(model, "silver_parcels"), "silver_depots")
    assert found is not None
    assert [(one.on, one.take, one.unless) for one in found] == [({"depot": "code"}, (), None), ({"depot": "code"}, ("region",), None)]
    assert {column.name for one in found for column in one.reduced.columns} == {"parcel", "depot"}


def test_rows_with_a_value_of_their_own_do_not_look_elsewhere(model: Project) -> None:
    found = needs(model, mapped(model, "silver_contents"), "silver_goods")
    assert found is not None
    assert [(one.on, one.take, one.unless) for one in found] == [({"sku": "sku"}, ("price",), "price")]
    asked = {column.name: column for column in found[0].reduced.columns}
    assert asked["price"].default is None
    assert asked["price"].lookup is None


def test_a_lookup_by_what_another_lookup_brings_cannot_be_told(model: Project) -> None:
    parcels = mapped(model, "silver_parcels")
    second = MappedColumn.model_validate(
        {"name": "head", "type": "string", "lookup": {"table": "silver_depots", "on": {"region": "region"}, "take": "name"}}
    )
    assert needs(model, parcels.model_copy(update={"columns": [*parcels.columns, second]}), "silver_depots") is None


@pytest.mark.parametrize(
    ("measures", "found"),
    [
        ({"worth": "sum(worth)", "parcels": "count(distinct parcel)"}, Sums("parcel", ("worth", "parcels"), "parcels")),
        ({"worth": "count(*)", "parcels": "count(distinct depot)"}, Sums("depot", ("worth", "parcels"), "worth")),
        ({"worth": "max(price)", "parcels": "count(distinct parcel)"}, None),
        ({"worth": "sum(worth * 2)", "parcels": "count(distinct parcel)"}, None),
        ({"worth": "count(distinct sku)", "parcels": "count(distinct parcel)"}, None),  # rows cannot be parted by both
        ({"worth": "sum(distinct worth)", "parcels": "count(distinct parcel)"}, None),
        ({"worth": "sum(region)", "parcels": "count(distinct parcel)"}, None),  # comes with a join
    ],
)
def test_sums_and_counts_add_up_and_nothing_else(model: Project, measures: dict[str, str], found: Sums | None) -> None:
    regions = model.tables["gold_regions"]
    assert isinstance(regions, GroupedTable)
    columns = [
        column.model_copy(update={"measure": measures[column.name]}) if column.name in measures else column for column in regions.columns
    ]
    assert sums_of(regions.model_copy(update={"columns": columns}), model.tables, model.lineage.may_be_null) == found


@pytest.mark.parametrize(("type_", "adds"), [("decimal(20,2)", True), ("decimal(20,1)", False), ("double", False), ("decimal(24,4)", True)])
def test_a_sum_adds_up_only_where_no_digit_is_lost(model: Project, type_: str, *, adds: bool) -> None:
    regions = model.tables["gold_regions"]
    assert isinstance(regions, GroupedTable)
    columns = [column.model_copy(update={"type": type_}) if column.name == "worth" else column for column in regions.columns]
    found = sums_of(regions.model_copy(update={"columns": columns}), model.tables, model.lineage.may_be_null)
    assert (found is not None) == adds


def test_a_measure_over_values_that_may_be_null_does_not_add_up(model: Project) -> None:
    regions = model.tables["gold_regions"]
    assert isinstance(regions, GroupedTable)
    assert sums_of(regions, model.tables, lambda column: column[1] == "worth") is None, "a sum over nothing but nulls is null"
    assert sums_of(regions, model.tables, lambda column: column[1] == "parcel") is None, "nothing tells that a group is empty"
