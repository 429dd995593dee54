"""Which delivered files are new, and which cannot be read."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from framework.lakehouse.landing import find_files, listed
from framework.spec.table import FileTable

if TYPE_CHECKING:
    from pathlib import Path

TABLE = FileTable.model_validate(
    {
        "table": "bronze_x",
        "layer": "bronze",
        "description": "A row.",
        "owner": "engineers",
        "files": {"pattern": ["x.csv", "x_[0-9]*.csv"]},
        "columns": [{"name": "a"}, {"name": "b", "optional": True}],
    }
)


def write(path: Path, content: bytes, at: int) -> None:
    """Write a file as if it was delivered at a second."""
    path.write_bytes(content)
    os.utime(path, ns=(at * 10**9, at * 10**9))


def test_files_come_in_the_order_of_delivery_and_a_replaced_one_is_new(tmp_path: Path) -> None:
    write(tmp_path / "x_2.csv", b"a\n1\n", 10)
    write(tmp_path / "x_1.csv", b"a\n1\n", 20)
    write(tmp_path / "x_other.csv", b"a\n1\n", 20)
    new, refused = find_files(listed(tmp_path), TABLE, ())
    assert ([file.name for file in new], refused) == (["x_2.csv", "x_1.csv"], ())
    known = {file.identity for file in new}
    assert find_files(listed(tmp_path), TABLE, known) == ((), ())
    write(tmp_path / "x_2.csv", b"a\n2\n", 30)
    assert [file.name for file in find_files(listed(tmp_path), TABLE, known)[0]] == ["x_2.csv"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty: not even a header line."),
        (b"b\n1\n", "its header lacks the column a."),
        (b"a,A\n1,2\n", "its header names a column twice: a."),
        (b"a\n" + b"x" * (1 << 22) + b"\xff\n", f"it is not UTF-8: byte {(1 << 22) + 3} is 0xff."),
        (b"a\n\xe2\x82", "it is not UTF-8: byte 3 is 0xe2."),
        ("a\n1\n".encode("utf-16"), "it is not UTF-8: byte 1 is 0xff."),
        ("a\n1\n".encode("utf-16-le"), "byte 2 is NUL, which no text holds; it may be UTF-16."),
        (b"a\n" + b"x" * (1 << 22) + b"\0", f"byte {(1 << 22) + 3} is NUL, which no text holds; it may be UTF-16."),
        (gzip.compress(b"a\n1\n"), "it is packed with gzip, not text."),
        (gzip.compress(b"a\n1\n")[:-4], "it is packed with gzip, not text."),
        (b"PK\x03\x04spreadsheet", "it is a zip archive or a spreadsheet, not text."),
        (
            b'a,b\r\n1,"x\ny"\r\n3,4\n5,6\r\n',
            "its rows end in two ways: line 4 ends otherwise than the header, and Spark would join it with the next.",
        ),
        (b'a,b\n1,2\n3,"cut off\n4,5\n', "a quote that opens on line 3 is never closed: everything behind it would be one field."),
        (b'a,b\n"x ""y"" \n z",2\n3,"cut', "a quote that opens on line 4 is never closed: everything behind it would be one field."),
    ],
    ids=[
        *("empty", "header without a required column", "header with a repeated column", "wrong byte far inside", "cut character"),
        *(
            "UTF-16",
            "UTF-16 without a mark",
            "NUL far inside",
            "gzip",
            "broken gzip",
            "zip",
            "two kinds of line ends",
            "open quote",
            "open quote after closed ones",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, why: str) -> None:
    write(tmp_path / "x.csv", content, 1)
    new, refused = find_files(listed(tmp_path), TABLE, ())
    assert new == ()
    assert [(file.name, file.why) for file in refused] == [("x.csv", why)]


@pytest.mark.parametrize(
    "content",
    [
        *(b"a\n", b"\xef\xbb\xbfa\r\n", b"b , A\n", b'"a","c\nd"\n1,2\n', b"a\n" + "\u20ac".encode() * 3_000_000),
        *(b'a,b\r\n1,"x\ny"\r\n3,4\r\n', b'a,b\n1,"x\r\ny"\n3,4'),
        *(b"a,,\n1,2,3\n", b'a,b\n12" pipe,2\n', b'a,b\n"x ""y"" z",2\n'),
    ],
)
def test_a_header_may_be_written_in_many_ways(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "x.csv", content, 1)
    new, refused = find_files(listed(tmp_path), TABLE, ())
    assert (len(new), refused) == (1, ())
