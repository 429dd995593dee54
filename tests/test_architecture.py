"""The shape of the code: the engine knows no product, and every kind that may be written has every interpretation."""

from __future__ import annotations

import re
from functools import singledispatch
from typing import TYPE_CHECKING

import pytest

from framework.plan import steps
from framework.plan.explain import said
from framework.plan.sodacl import said as said_to_soda
from framework.spec import quality
from framework.spec.checks import KINDS
from framework.spec.examine.quality import say as look_at
from framework.spec.project import read_project
from framework.spec.rules import meaning
from framework.spec.table import FileTable, GroupedTable, MappedTable, QueryTable
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Words of the products that are words of the framework too.
SHARED = {"table", "history", "lines", "line", "by", "product", "products", "order", "orders", "category", "categories", "items"}


def words_of(root: Path) -> set[str]:
    """Return the words that a product's tables are named by, with and without a plural s."""
    names = {word for table in read_project(root).tables for word in re.split(r"[_ ]", table)} - {"bronze", "silver", "gold"}
    return ({*names} | {name.removesuffix("s") for name in names}) - SHARED


def test_the_engine_knows_no_product() -> None:
    words = words_of(ROOT) | words_of(ROOT / "tests/library") | {"invoice", "revenue", "loyalty", "promotion", "barcode", "order_number"}
    assert {"customer", "sales", "marketing", "loan", "member"} <= words, "the test must know what to look for"
    found = re.compile(rf"(?<![a-z])({'|'.join(sorted(words))})(?![a-z])", re.IGNORECASE)
    for path in (ROOT / "framework").rglob("*.py"):
        hits = found.findall(path.read_text("utf-8").replace("is_account_group_member", ""))  # a function of the catalog
        assert not hits, f"{path} speaks of {hits}"


@pytest.mark.parametrize("reading", [meaning])
def test_every_check_has_a_meaning(reading: Callable[..., object]) -> None:
    default = reading.dispatch(object)  # type: ignore[attr-defined] # singledispatch
    assert not [kind for kind, model in KINDS.items() if reading.dispatch(model) is default]  # type: ignore[attr-defined]


@pytest.mark.parametrize("reading", [look_at, said_to_soda])
def test_every_check_on_a_whole_table_has_a_meaning(reading: Callable[..., object]) -> None:
    default = reading.dispatch(object)  # type: ignore[attr-defined] # singledispatch
    assert not [kind for kind, model in quality.KINDS.items() if reading.dispatch(model) is default]  # type: ignore[attr-defined]


def test_every_kind_has_an_interpretation_in_spark() -> None:
    from framework.transforms.checks import failing  # noqa: PLC0415 - Spark is imported only here
    from framework.transforms.table import labelled  # noqa: PLC0415

    for function, kinds in ((failing, KINDS.values()), (labelled, (MappedTable, GroupedTable, QueryTable))):
        default = function.dispatch(object)
        assert not [kind for kind in kinds if function.dispatch(kind) is default]
    assert labelled.dispatch(FileTable) is labelled.dispatch(object), "files are read, not transformed"


def test_every_step_can_be_told() -> None:
    kinds = steps.Step.__subclasses__()
    assert len(kinds) >= 6
    assert not [kind for kind in kinds if said.dispatch(kind) is said.dispatch(object)]


def test_a_kind_without_an_interpretation_would_be_noticed() -> None:
    @singledispatch
    def incomplete(_: object) -> str:
        raise NotImplementedError

    assert [kind for kind in KINDS.values() if incomplete.dispatch(kind) is incomplete.dispatch(object)] == list(KINDS.values())


BARRED = re.compile(
    r"\.rdd\b|sparkContext|_jvm|_jdf|_jsparkSession|\.toJSON\(|\.(?:un)?persist\(|\.cache\(|(?:localC|\.c)heckpoint\("
    r"|CACHE TABLE|REFRESH TABLE|createOrReplaceGlobalTempView|createGlobalTempView|global_temp"
    r"|\budf\(|mapInPandas|applyInPandas|toPandas|DeltaTable|setJobGroup"
    r"|hiveContext|/dbfs|dbfs:(?!/Volumes)|\bargs=|\.foreach(?:Partition)?\("
)
"""What serverless compute refuses, or Spark 4.1 with Delta mishandles; settings that it does not take are tested apart."""


def test_nothing_on_the_data_path_is_barred_on_serverless() -> None:
    paths = [path for folder in ("transforms", "refresh", "lakehouse", "why") for path in (ROOT / "framework" / folder).rglob("*.py")]
    paths += [ROOT / "framework/runner.py", *(ROOT / "notebooks").glob("*.py")]
    assert len(paths) > 30
    for path in paths:
        assert not BARRED.findall(path.read_text("utf-8")), path


def test_a_session_that_is_there_gets_no_setting_that_serverless_refuses() -> None:
    allowed = {"spark.sql.session.timeZone", "spark.sql.shuffle.partitions", "spark.sql.ansi.enabled", "spark.sql.files.maxPartitionBytes"}
    for path in (ROOT / "framework").rglob("*.py"):
        for name in re.findall(r"\.conf\.set\(\s*([^,]+),", path.read_text("utf-8")):
            assert name.strip("\"'") in allowed, f"{path} sets {name}"


@pytest.mark.parametrize(
    "call", ["rows.rdd", "spark.sparkContext", "rows.cache()", "rows.unpersist()", "rows.checkpoint()", "CACHE TABLE t"]
)
def test_a_barred_call_would_be_found(call: str) -> None:
    assert BARRED.search(call)
