"""JSON as it comes: what Spark makes of it is what it says, or nothing; never silently another thing.

Python's json module, told to be strict, says what a text says.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from framework.spec.source import Json
from framework.transforms.parse_json import parsed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ITEMS = Json.model_validate({"type": "array<struct<a: string, b: string>>"})

TEXTS = {
    "objects": '[{"a": "x", "b": "y"}, {"b": null}]',
    "a bare object": '{"a": "x"}',
    "blanks around": ' [ {"a" : "x"} ] \n',
    "nothing": "",
    "an empty array": "[]",
    "an empty object": "{}",
    "numbers of many digits": '[{"a": 123456789012345678901234.5, "b": 0.12345678901234567890}]',
    "numbers too large for eight bytes": '[{"a": 1e400, "b": -1E-400}]',
    "whole numbers of many digits": '[{"a": 12345678901234567890123456789012345678901234567890}]',
    "a text that looks like long numbers": '[{"a": "x: 12345678901234567890, y", "b": 12345678901234567890.125}]',
    "truth": '[{"a": true, "b": false}]',
    "brackets within text": '[{"a": "] [ } {", "b": "}]"}]',
    "quotes and ends within text": '[{"a": "\\"}] [{", "b": "\\\\"}]',
    "cut off": '[{"a": "x"',
    "cut off within a text": '[{"a": "x',
    "something behind": '[{"a": "x"}] and more',
    "a second value": '[{"a": "x"}][{"a": "y"}]',
    "a second value behind a line": '[{"a": "x"}]\n{"a": "y"}',
    "a second value behind a comma": '[{"a": "x"}], [{"a": "y"}]',
    "a number behind a comma": '{"a": "x"}, 7',
    "a name behind a comma": '{"a": "x"}, "b": {}',
    "both ends too many": '[{"a": "x"}]}]',
    "an end, and one value more": '[{"a": "x"}], 7]',
    "an end too many": '[{"a": "x"}]]',
    "an object's end too many": '{"a": "x"}}',
    "a name twice": '[{"a": "x", "a": "y"}]',
    "a name twice deep inside": '[{"c": {"d": 1, "d": 2}, "a": "x"}]',
    "single quotes": "[{'a': 'x'}]",
    "no number": '[{"a": NaN}]',
    "endless": '[{"a": -Infinity}]',
    "a leading zero": '[{"a": 012}]',
    "a comma too many": '[{"a": "x",}]',
    "a comment": '/* c */ [{"a": "x"}]',
    "a name without quotes": '[{a: "x"}]',
    "a line break within a text": '[{"a": "x\ny"}]',
    "a character in two halves": '[{"a": "\\ud83d\\ude00"}]',
    "half a character": '[{"a": "x\\ud800y"}]',
    "the other half": '[{"a": "\\ude00"}]',
    "halves in the wrong order": '[{"a": "\\ude00\\ud83d"}]',
    "an escaped backslash before u": '[{"a": "\\\\ud800"}]',
    "very deep": "[" * 3000 + "]" * 3000,
    "deep within an item": '[{"a": "x", "c": ' + "[" * 200 + "]" * 200 + "}]",
    "a number alone": "7",
    "a text alone": '"x"',
    "null alone": "null",
    "an item of nothing": '[null, {"a": "x"}]',
    "five megabytes of escapes, and a second value": '[{"a": "' + '\\"' * 1_000_000 + '"}][',
    "five megabytes of escapes, and a long number": '[{"a": "' + '\\"' * 1_000_000 + '", "b": 12345678901234567890}]',
    "five megabytes": '[{"a": "' + "x" * 5_000_000 + '"}]',
}


class _TwiceError(ValueError):
    """A name stands twice in one object."""


def said(text: str) -> Any:
    """Return what a text says: items with texts for `a` and `b`; None where it is no JSON, or says two things."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise _TwiceError
        return dict(pairs)

    def refuse(_: str) -> None:
        raise ValueError

    try:
        value = json.loads(text, object_pairs_hook=once, parse_float=str, parse_int=str, parse_constant=refuse)
        text.encode().decode()
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list) or not all(isinstance(item, dict | None) for item in items):
        return None
    return [None if item is None else tuple(_text(item.get(name)) for name in ("a", "b")) for item in items]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def read(spark: SparkSession, texts: list[str]) -> list[Any]:
    """Return what Spark makes of texts."""
    rows = spark.createDataFrame(list(enumerate(texts)), "place int, text string")
    found = rows.select("place", parsed(rows["text"], ITEMS).alias("items")).orderBy("place").collect()
    return [None if row["items"] is None else [None if item is None else tuple(item) for item in row["items"]] for row in found]


def test_what_is_read_is_what_is_said(spark: SparkSession) -> None:
    found = dict(zip(TEXTS, read(spark, list(TEXTS.values())), strict=True))
    expected = {name: said(text) for name, text in TEXTS.items()}
    assert {name: one for name, one in found.items() if one != expected[name]} == {}


@pytest.mark.parametrize("seed", range(3))
def test_broken_texts_are_never_read_as_something_else(spark: SparkSession, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - invented data
    whole = [text for name, text in TEXTS.items() if len(text) < 200 and said(text) is not None]
    texts = []
    for _ in range(400):
        text = rng.choice(whole)
        place = rng.randrange(len(text) + 1)
        if rng.random() < 0.5:
            text = text[:place] + text[place + rng.randint(1, 3) :]
        else:
            text = (
                text[:place]
                + rng.choice(['"', "]", "[", "{", "}", ",", ":", "\\", "1", " ", "null", '"a":', "e9", "-", "."])
                + text[place:]
            )
        texts.append(text)
    for text, one in zip(texts, read(spark, texts), strict=True):
        assert one is None or one == said(text), text


def test_pairs_are_read_as_items(spark: SparkSession) -> None:
    pairs = Json.model_validate({"type": "array<struct<a: string, b: string>>", "pairs": ["a", "b"]})
    rows = spark.createDataFrame([('[["x", 12345678901234567890.5], ["y"]]',), ('[["x"]] more',)], "text string")
    found = [row[0] for row in rows.select(parsed(rows["text"], pairs)).collect()]
    assert [None if one is None else [tuple(item) for item in one] for one in found] == [
        [("x", "12345678901234567890.5"), ("y", None)],
        None,
    ]
