"""The first product on a real Unity Catalog server: the same gold, and nobody sees what no contract grants."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from framework.lakehouse.access import access_steps, apply_access, catalog_access
from framework.lakehouse.lakehouse import Lakehouse
from framework.lakehouse.maintenance import maintain
from framework.plan.access.steps import Grant, Revoke, TellDrift
from framework.runner import run
from framework.spec.problem import RunError
from framework.spec.project import read_project
from samples.generate import generate
from tests import unitycatalog
from tests.conftest import CONNECT_TO, ROOT
from tests.product.test_gold import EMPTY, zones
from tests.product.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

    from framework.plan.access.steps import AccessStep

MISSING = "Spark Connect's own server is started without the connector" if CONNECT_TO else unitycatalog.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

CATALOG, SCHEMA = "zoltan-verebes-catalog-m", "dg-day"
PEOPLE = {name: f"{name}@example.com" for name in ("data_engineers", "marketing_analysts", "sales_analysts")}


@dataclass
class Place:
    """A server with the product's catalog, and the product that is to be run there."""

    server: Any
    url: str
    lakehouse: Lakehouse

    def client(self, email: str = "") -> Any:
        """Return a client for somebody; for the administrator unless said."""
        from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - only where there is a server

        return WorkspaceClient(host=self.url, token=self.server.token_for(email) if email else self.server.admin_token)


@pytest.fixture(scope="module")
def place(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    from uc_compat_proxy import serve  # type: ignore[import-not-found] # noqa: PLC0415 - beside the server
    from uc_server import UcServer  # type: ignore[import-not-found] # noqa: PLC0415

    root = tmp_path_factory.mktemp("uc")
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / part, root / part)
    # The server knows people, not groups.
    for path in [*(root / "contracts").rglob("*.yml"), root / "metadata/principals.yml", root / "metadata/layers.yml"]:
        text = path.read_text("utf-8")
        for name, email in PEOPLE.items():
            text = text.replace(name, email)
        path.write_text(text, "utf-8")
    server = UcServer(repository=unitycatalog.REPOSITORY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the server's own log file to the collector
        server.start()
    try:
        proxy, url = serve(server.url)
        (root / "metadata/environments.yml").write_text(
            f"uc:\n  kind: catalog\n  catalog: {CATALOG}\n  schema: {SCHEMA}\n  landing: landing\n  state: {root / 'state'}\n"
            "  change_feed: false\n  access: {manage: [grants], unmanaged: [admin]}\n"
        )
        there = Place(server, url, Lakehouse(read_project(root), "uc"))
        admin = there.client()
        admin.catalogs.create(CATALOG)
        admin.schemas.create(SCHEMA, CATALOG)
        for email in [*PEOPLE.values(), "stranger@example.com"]:
            server.create_user(email)
        settings = {"": "io.unitycatalog.spark.UCSingleCatalog", ".uri": server.url, ".token": server.admin_token}
        for name, value in settings.items():
            spark.conf.set(f"spark.sql.catalog.{CATALOG}{name}", value)
        yield there
        proxy.shutdown()
        proxy.server_close()
    finally:
        server.stop()


def test_gold_is_right_to_the_cent_after_each_delivery(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    truth, landing = Truth(zones()), place.lakehouse.landing
    landing.mkdir()
    for delivery in generate(tmp_path, 60, 3):
        truth.deliver(delivery)
        for path in delivery.iterdir():
            shutil.copy2(path, landing)
        report = run(place.lakehouse, "all")
        assert report.is_well, [(one.table, one.reason) for one in report.tables if one.outcome != "done"]
        assert report.unrecorded == ""
        for table, expected in truth.gold(datetime.now(timezone.utc)).items():
            rows = place.lakehouse.tables(spark).read(table).collect()
            found = [tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row) for row in rows]
            assert expected or (table, delivery.name) in EMPTY, table
            assert (len(found), set(found)) == (len(expected), expected), table
    again = run(place.lakehouse, "all")
    assert {one.outcome for one in again.tables} == {"unchanged"}, "nothing new changes nothing"
    upkeep = maintain(place.lakehouse, ["gold_sales_by_category"], datetime.now(timezone.utc))
    assert [(one.task.kind, one.error) for one in upkeep] == [("keep", ""), ("cluster", ""), ("left", "")], (
        "the catalog removes files itself"
    )
    assert {one.outcome for one in run(place.lakehouse, "all").tables} == {"unchanged"}


def test_a_catalog_is_brought_to_what_contracts_grant_and_back_from_what_is_done_by_hand(place: Place) -> None:
    from databricks.sdk.errors import PermissionDenied  # noqa: PLC0415 - only where there is a server
    from databricks.sdk.service.catalog import PermissionsChange, Privilege  # noqa: PLC0415

    there = catalog_access(place.lakehouse, place.client())
    sales, marketing = PEOPLE["sales_analysts"], PEOPLE["marketing_analysts"]
    table, hidden = f"{CATALOG}.{SCHEMA}.gold_sales_by_category", f"{CATALOG}.{SCHEMA}.silver_customers"
    with pytest.raises(PermissionDenied):
        place.client(sales).tables.get(table)

    done = apply_access(place.lakehouse, there)
    assert {type(step) for step in done} == {Grant}
    assert access_steps(place.lakehouse, there) == ()
    assert apply_access(place.lakehouse, there) == [], "a second time changes nothing"
    assert place.client(sales).tables.get(table).name == "gold_sales_by_category"
    for other in (hidden, f"{CATALOG}.{SCHEMA}.gold_marketing_customers"):
        with pytest.raises(PermissionDenied):
            place.client(sales).tables.get(other)
    for nobody in (marketing, "stranger@example.com"):
        with pytest.raises(PermissionDenied):
            place.client(nobody).tables.get(table)
    readable = {one.name for one in place.client(sales).tables.list(CATALOG, SCHEMA)}
    assert readable == {"gold_sales_by_category", "gold_sales_by_product"}

    # Drift by hand: one who is known gets more, one who is not gets something, one grant is taken away.
    admin = place.client()
    admin.grants.update("table", hidden, changes=[PermissionsChange(principal=sales, add=[Privilege.SELECT])])
    admin.grants.update("table", hidden, changes=[PermissionsChange(principal="stranger@example.com", add=[Privilege.SELECT])])
    admin.grants.update("table", table, changes=[PermissionsChange(principal=sales, remove=[Privilege.SELECT])])
    assert place.client(sales).tables.get(hidden).name == "silver_customers"
    steps = access_steps(place.lakehouse, there)
    assert [(type(step), step.name) for step in steps] == [
        (Revoke, "silver_customers"),
        (Grant, "gold_sales_by_category"),
        (TellDrift, "silver_customers"),
    ]
    told = [step for step in apply_access(place.lakehouse, there) if isinstance(step, TellDrift)]
    assert [step.principal for step in told] == ["stranger@example.com"], "who is not known to metadata is told, not revoked"
    with pytest.raises(PermissionDenied):
        place.client(sales).tables.get(hidden)
    assert place.client(sales).tables.get(table).name == "gold_sales_by_category"


def test_an_apply_that_was_killed_halfway_ends_right_when_it_is_run_again(place: Place) -> None:
    from databricks.sdk.service.catalog import PermissionsChange, Privilege  # noqa: PLC0415 - only where there is a server

    admin = place.client()
    there = catalog_access(place.lakehouse, admin)
    apply_access(place.lakehouse, there)
    for table in ("gold_sales_by_category", "gold_sales_by_product", "gold_marketing_customers"):
        for person in PEOPLE.values():
            change = PermissionsChange(principal=person, remove=[Privilege.SELECT])
            admin.grants.update("table", f"{CATALOG}.{SCHEMA}.{table}", changes=[change])

    def changes() -> list[AccessStep]:
        return [step for step in access_steps(place.lakehouse, there) if not isinstance(step, TellDrift)]

    whole = changes()
    assert len(whole) >= 4
    for count in range(len(whole)):
        left = changes()
        assert len(left) == len(whole) - count
        there.carry_out(left[0])
    assert changes() == []


def test_who_may_not_grant_is_told_which_statement_was_refused(place: Place) -> None:
    step = Grant("silver_customers", "a try", "table", "stranger@example.com", ("SELECT",))
    refused = catalog_access(place.lakehouse, place.client("stranger@example.com"))
    with pytest.raises(RunError, match=r"GRANT SELECT ON TABLE `zoltan-verebes-catalog-m`.`dg-day`.`silver_customers`"):
        refused.carry_out(step)
