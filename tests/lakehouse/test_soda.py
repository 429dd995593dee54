"""What Soda says of a table is what plain Spark says of it, and it says it to nobody else."""

from __future__ import annotations

import socket
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter

from framework.lakehouse.soda import scan
from framework.plan.sodacl import asks_of, document
from framework.spec.quality import QualityRule

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NOW = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
ROWS = """SELECT * FROM VALUES
  (1, 'a',  10.5D,              timestamp'2026-03-02 06:00:00', date'2026-02-27', 'it''s', 'x'),
  (2, 'b',  cast(null AS double), timestamp'2026-03-01 06:00:00', date'2026-02-20', 'a\\\\d', 'x'),
  (2, 'zz', 3.0D,               timestamp'2026-03-01 06:00:00', null,             'a9',    'x')
  AS t(id, word, price, at, d, odd, `full name`)"""
OTHER = "SELECT * FROM VALUES (1, 13.0D), (3, 0.5D) AS t(key, price)"

CHECKS: list[tuple[str | dict[str, Any], str, float | None]] = [
    ("row_count > 0", "pass", 3),
    ("row_count between 1 and 2", "fail", 3),
    ("row_count != 3", "fail", 3),
    ("missing_count(price) = 1", "pass", 1),
    ("missing_percent(price) < 5 %", "fail", 33.33),
    ("missing_count(full name) = 0", "pass", 0),
    ("duplicate_count(id) = 0", "fail", 1),
    ("duplicate_count(id, word) = 0", "pass", 0),
    ("duplicate_percent(id) < 90 %", "pass", 33.33),
    ({"check": "invalid_count(word) = 0", "valid": {"in": ["a", "b"]}}, "fail", 1),
    ({"check": "invalid_count(odd) = 0", "valid": {"in": ["it's", "a\\d", "a9"]}}, "pass", 0),
    ({"check": "invalid_count(odd) = 2", "valid": {"matches": "a\\d"}}, "pass", 2),
    ({"check": "invalid_count(word) = 1", "valid": {"matches": "[a-z]"}}, "pass", 1),
    ({"check": "invalid_percent(price) < 33 %", "valid": {"between": [0, 5]}}, "fail", 100 / 3),
    ("freshness(at) < 7h", "pass", 6 * 3600),
    ("freshness(at) < 5h", "fail", 6 * 3600),
    ("freshness(d) < 3d", "pass", 2.5 * 86400),  # since the end of that day
    ("freshness(d) < 2d", "fail", 2.5 * 86400),
    ("avg(price) > 1", "pass", 6.75),
    ("sum(price) = 13.5", "pass", 13.5),
    ("min(price) >= 3", "pass", 3),
    ("max(price) < 10", "fail", 10.5),
    ("stddev(price) > 5.3", "pass", 5.303300858899107),
    ("percentile(price, 0.5) < 6.7", "fail", 6.75),
    ("avg_length(word) < 2", "pass", 4 / 3),
    ("min_length(full name) = 1", "pass", 1),
    ("max_length(word) = 2", "pass", 2),
    ("values in (id) must exist in other (key)", "fail", 2),
    ("schema", "pass", None),
    ("sum(price) = sum(other.price)", "pass", 0),
    ("sum(price) by word = sum(other.price)", "fail", 3),
    ("row_count = row_count(other)", "fail", 1),
    ("row_count by word > 0", "pass", 0),
    ("row_count by id > 1", "fail", 1),
    ("missing_count(price) by word = 0", "fail", 1),
    ("max(price) by id > 5", "fail", 1),
    ({"name": "no zz", "no_rows": "SELECT * FROM mine WHERE word = 'zz'"}, "fail", 1),
    ({"name": "no yy", "no_rows": "SELECT * FROM mine JOIN other ON id = key WHERE word = 'yy'"}, "pass", 0),
    ({"soda": ["row_count > 5"]}, "fail", 3),
    ({"soda": [{"missing_count(price)": {"warn": "when > 0", "fail": "when > 10"}}]}, "warn", 1),
    ({"soda": [{"failed rows": {"name": "dear", "fail condition": "price > 10"}}]}, "fail", 1),
]


@pytest.fixture(scope="module")
def verdicts(spark: SparkSession) -> dict[int, tuple[str, float | None]]:
    """Return what one scan says of all checks; nothing may be connected to outside of this machine."""
    mine, other = spark.sql(ROWS), spark.sql(OTHER)
    rules = TypeAdapter(list[QualityRule]).validate_python([rule for rule, _, _ in CHECKS])
    views = {"mine": "lakepact_0", "other": "lakepact_1"}
    asks = asks_of([SimpleNamespace(table="mine", quality=rules)], views, {"mine": dict(mine.dtypes)})  # type: ignore[list-item]
    assert len(asks) == len(CHECKS)
    patched = pytest.MonkeyPatch()
    patched.setattr(socket.socket, "connect", _only_here(socket.socket.connect))
    patched.setattr(socket, "getaddrinfo", _only_here(socket.getaddrinfo))
    try:
        found = scan(spark, document(asks, views), {"lakepact_0": mine, "lakepact_1": other, "mine": mine, "other": other}, NOW)
    finally:
        patched.undo()
    assert found.errors == []
    return {i: (found.verdicts[ask.name].outcome, found.verdicts[ask.name].value) for i, ask in enumerate(asks)}


def _only_here(connect: Any) -> Any:
    def connected(*arguments: Any, **options: Any) -> Any:
        told = str(arguments)
        assert "127.0.0.1" in told or "localhost" in told, f"Soda wants to speak with {told}"
        return connect(*arguments, **options)

    return connected


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=[str(one[0]) for one in CHECKS])
def test_a_verdict_is_what_the_rows_say(number: int, verdicts: dict[int, tuple[str, float | None]], spark: SparkSession) -> None:  # noqa: ARG001 - marks it
    _, outcome, value = CHECKS[number]
    found, number_found = verdicts[number]
    if str(CHECKS[number][0]).startswith("freshness") and number_found is not None:
        number_found /= 1000  # Soda counts milliseconds
    assert found == outcome
    assert number_found == (value if value is None else pytest.approx(value, abs=0.005))


def test_soda_leaves_nothing_in_the_users_home(verdicts: dict[int, tuple[str, float | None]], spark: SparkSession) -> None:
    assert verdicts
    assert not (Path.home() / ".soda").exists()
    assert not [row for row in spark.catalog.listTables() if row.name.startswith(("lakepact_", "mine", "other"))]


def test_a_check_that_soda_cannot_read_is_told_and_the_others_are_made(spark: SparkSession) -> None:
    rules = TypeAdapter(list[QualityRule]).validate_python(["row_count > 0", {"soda": ["nonsense !"]}])
    asks = asks_of([SimpleNamespace(table="mine", quality=rules)], {"mine": "lakepact_0"}, {"mine": {}})  # type: ignore[list-item]
    found = scan(spark, document(asks, {"mine": "lakepact_0"}), {"lakepact_0": spark.range(1)}, NOW)
    assert [found.verdicts.get(ask.name) is not None for ask in asks] == [True, False]
    assert any("nonsense !" in error for error in found.errors)
