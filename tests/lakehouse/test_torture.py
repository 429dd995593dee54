"""Files as they come: what Spark reads is what is there, or it is rescued, or said to be ragged; never silently another thing.

Python's csv module, which knows nothing of Spark, says what is there.
"""

from __future__ import annotations

import csv
import io
import json
import random
from datetime import timezone
from functools import reduce
from typing import TYPE_CHECKING

import pytest

from framework.lakehouse.landing import find_files, listed
from framework.lakehouse.read import read_files
from framework.plan.steps import Load
from framework.spec.table import FileTable
from framework.transforms.files import counts_by_file, gathered

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, Row, SparkSession

    from framework.lakehouse.read import Batch

TABLE = FileTable.model_validate(
    {
        "table": "bronze_x",
        "layer": "bronze",
        "description": "A row.",
        "owner": "engineers",
        "files": {"pattern": ["*.csv"]},
        "columns": [{"name": "a"}, {"name": "b"}, {"name": "c", "optional": True}],
    }
)


def wild(seed: int) -> str:
    """Return a file of invented rows whose fields hold what breaks readers."""
    rng = random.Random(seed)  # noqa: S311 - invented data
    pieces = [
        "x",
        "é",
        "日本",
        "😀",
        " ",
        "  ",
        ",",
        '"',
        "\n",
        "\r\n",
        "\\",
        "\\n",
        "'",
        "null",
        "NULL",
        "#",
        "\t",
        "\u2028",
        "{",
        '{"k": "v"}',
        ";",
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"]), quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer.writerow(["a", "b", "c"])
    for number in range(40):
        writer.writerow([f"k{number}", *("".join(rng.choices(pieces, k=rng.randrange(6))) for _ in range(2))])
    return text.getvalue()


FILES: dict[str, bytes] = {
    "plain.csv": b"a,b,c\n1,2,3\n",
    "no_end_of_line.csv": b"a,b,c\n1,2,3\n4,5,6",
    "windows.csv": b"a,b,c\r\n1,2,3\r\n4,5,6\r\n",
    "mac.csv": b"a,b,c\r1,2,3\r4,5,6\r",
    "breaks_in_fields.csv": b'a,b,c\r\n1,"x\ny",3\r\n4,5,6\r\n',
    "blank_lines.csv": b"a,b,c\n\n1,2,3\n\n\n4,5,6\n",
    "mark.csv": b"\xef\xbb\xbfa,b,c\n1,2,3\n",
    "reordered.csv": b"c,a,b\n3,1,2\n",
    "shifted_quotes.csv": b'a,b,c\n1,"x ""y"", ""z""",3\n"4","5\n5","6"\n',
    "json_with_escapes.csv": b'a,b,c\n1,"{""name"":""Book - English\\"""",""price"":3553}",x\n2,y,z\n',
    "stray_quote.csv": b'a,b,c\n1,12" pipe,3\n4,5,6\n',
    "long_field.csv": b"a,b,c\n1," + b"x" * 5_000_000 + b",3\n4,5,6\n",
    "many_rows.csv": b"a,b,c\n" + b"".join(f"{i},y,z\n".encode() for i in range(20_000)),
    "spaces.csv": b"a,b,c\n 1 ,  2,3  \n",
    "comment_signs.csv": b"a,b,c\n#1,2,3\n//4,5,6\n",
    "a + b %20#[1]{x}?é.csv": b"a,b,c\n1,2,3\n",
    "backslashes.csv": b'a,b,c\n1,C:\\temp\\,3\n2,"\\",4\n',
    **{f"wild_{seed}.csv": wild(seed).encode() for seed in range(6)},
}
RAGGED = {
    "too_few.csv": (b"a,b,c\n1,2,3\n4,5\n7,8,9\n", [("1", "2", "3"), ("4", "5", None), ("7", "8", "9")]),
    "too_many.csv": (b"a,b,c\n1,2,3,4\n5,6,7\n", [("1", "2", "3"), ("5", "6", "7")]),
    "nothing.csv": (b"a,b,c\n,,\n", [(None, None, None)]),
    "no_name.csv": (b"a,b,,\n1,2,3,4\n", [("1", "2", None)]),
}


def there(content: bytes) -> list[tuple[str | None, ...]]:
    """Return the rows that Python reads, by the names of the header; nothing is null."""
    csv.field_size_limit(10_000_000)
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return [tuple(_with_plain_breaks(row.get(name)) for name in ("a", "b", "c")) for row in rows]


@pytest.fixture(scope="module", params=[1000, 0], ids=["one by one", "together"])
def read(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Return the rows of every file, all read in one load, and how many of each are ragged."""
    landing: Path = tmp_path_factory.mktemp("landing")
    for name, content in {**FILES, **{name: one[0] for name, one in RAGGED.items()}}.items():
        (landing / name).write_bytes(content)
    new, refused = find_files(listed(landing), TABLE, ())
    assert refused == ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("framework.lakehouse.read._FEW", request.param)
        batches = read_files(spark, TABLE, Load(1, "load", "2024-01-01T00:00:00+00:00", new, -1))
    assert (len(batches) == len(new)) == bool(request.param)
    rows, metrics = gathered([batch.rows for batch in batches])
    by_file: dict[str, list[Row]] = {}
    for row in rows.collect():
        by_file.setdefault(row["_source_file"], []).append(row)
    counts = (
        counts_by_file(rows_of(batches))
        if not request.param
        else {batch.files[0].name: one.values() for batch, one in zip(batches, metrics, strict=True)}
    )
    assert {name: one["rows"] for name, one in counts.items() if one["rows"]} == {name: len(found) for name, found in by_file.items()}
    modified = {file.name: file.modified_ns // 1000 for file in new}
    assert all(
        int(row["_source_modified"].replace(tzinfo=timezone.utc).timestamp() * 1e6) - modified[name] in {-1, 0, 1}
        for name, found in by_file.items()
        for row in found
    )
    return by_file, {name: one["ragged"] for name, one in counts.items()}


def rows_of(batches: list[Batch]) -> DataFrame:
    """Return the rows of all batches."""
    return reduce(lambda one, other: one.unionByName(other), (batch.rows for batch in batches))


def cells(rows: list[Row]) -> list[tuple[str | None, ...]]:
    """Return the contract's columns of rows in the order of the file."""
    ordered = sorted(rows, key=lambda row: row["_row_number"])
    return [tuple(_with_plain_breaks(row[name]) for name in ("a", "b", "c")) for row in ordered]


def _with_plain_breaks(text: str | None) -> str | None:
    """Return a field with LF for CRLF: Spark's reader makes one of the other where rows end so."""
    return text.replace("\r\n", "\n") if text else None


@pytest.mark.parametrize("name", FILES)
def test_what_is_read_is_what_is_there(name: str, read: tuple[dict[str, list[Row]], dict[str, int]]) -> None:
    rows, ragged = read
    assert cells(rows[name]) == there(FILES[name])
    assert ragged[name] == 0
    assert all(row["_rescued"] is None for row in rows[name])


@pytest.mark.parametrize("name", RAGGED)
def test_rows_of_another_length_are_kept_and_told(name: str, read: tuple[dict[str, list[Row]], dict[str, int]]) -> None:
    rows, ragged = read
    assert cells(rows[name]) == RAGGED[name][1]
    rescued = [json.loads(row["_rescued"]) for row in rows[name] if row["_rescued"]]
    assert ragged[name] == (1 if name.startswith("too_") else 0)
    assert rescued == {"too_many.csv": [{"_surplus": ["4"]}], "no_name.csv": [{"column 3": "3", "column 4": "4"}]}.get(name, [])
