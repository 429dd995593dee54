"""Whatever the rows, and in whatever order they come: they are conserved, and the same ones win."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework.spec.table import MappedTable
from framework.transforms.table import labelled

if TYPE_CHECKING:
    import pytest
    from pyspark.sql import SparkSession

TABLE = MappedTable.model_validate(
    {
        "table": "silver_x",
        "layer": "silver",
        "description": "A row.",
        "owner": "engineers",
        "source": {"table": "rows"},
        "text": {"nulls": ["", "NULL"]},
        "columns": [
            {"name": "key", "type": "int", "required": True},
            {"name": "at", "type": "date"},
            {"name": "n", "type": "int", "checks": [{"between": (0, 5), "otherwise": "drop"}, {"in": [0, 1, 2, 3]}]},
            {"name": "note", "type": "string", "checks": [{"matches": "^a", "otherwise": "set_null"}]},
        ],
        "dedupe": {"key": ["key"], "latest_by": ["at desc"], "fill": ["note"]},
    }
)
COLUMNS = "key string, at string, n string, note string"
ROW = st.tuples(
    st.sampled_from(["1", "2", " 2 ", "3.0", "x", "", None]),
    st.sampled_from(["2024-01-01", "2024-01-02", "soon", None]),
    st.sampled_from(["0", "1", "3", "4", "9", "-1", "?", None]),
    st.sampled_from(["a", "ab", "b", "  a  ", "NULL", None]),
)


def outcome(spark: SparkSession, rows: list[tuple[Any, ...]], path: str) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
    """Return the kept rows and the counts."""
    result = labelled(TABLE, {"rows": spark.createDataFrame(rows, COLUMNS)})
    result.rows.write.mode("overwrite").parquet(path)
    counts = result.counts()
    assert counts.conserved, counts
    assert counts.read == len(rows)
    kept = result.kept(spark.read.parquet(path)).collect()
    assert len(kept) == counts.kept
    return sorted(map(tuple, kept), key=repr), vars(counts)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROW, min_size=1, max_size=40), data=st.data())
def test_rows_are_conserved_and_their_order_does_not_matter(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    path = str(tmp_path_factory.mktemp("rows") / "written")
    first = outcome(spark, rows, path)
    second = outcome(spark, data.draw(st.permutations(rows)), path)
    assert first == second
    assert len({row[0] for row in first[0]}) == len(first[0]), "one row per key"
