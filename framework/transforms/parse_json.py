"""How does text that holds JSON become an array or a struct?"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructType

from framework.spec.sql.types import read_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import Column

    from framework.spec.source import Json
    from framework.spec.sql.types import Type

_STARTS_WITH_PAIR = r"^\s*\[\s*\["
_IS_MANY = r"^\s*[\[{]"

_HALF_CHARACTER = r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONG_NUMBER = r"[0-9](?:[0-9.]{15}|[eE][+-]?[0-9])"
_NUMBER = r"(-?[0-9][0-9.eE+-]*)"
_HIDDEN = {"\\\\": "\x01", '\\"': "\x02"}
"""Escapes within strings, and characters to stand for them: JSON has these nowhere as they are."""


def parsed(text: Column, json: Json) -> Column:
    """Return the text read as `json.type`; null where it cannot be read, as a whole or in any item, or says two things.

    Spark reads one bare object as an array of one by itself. It also takes what is no JSON, or no single value: the
    last of two equal names, whatever follows the first value, half a character as a question mark, and a number as the
    nearest that fits into eight bytes. All but the last are null here; a number for text is taken as it is written.
    """
    objects = _read(text, json.type)
    if json.pairs:
        pairs = _read(text, "array<array<string>>")
        objects = F.when(text.rlike(_STARTS_WITH_PAIR), F.transform(pairs, lambda pair: _item(pair, json))).otherwise(objects)
    return F.when(_is_one_value(text), objects)


def _read(text: Column, type_: str) -> Column:
    found = F.from_json(text, type_)
    if {leaf.base for leaf in _leaves(read_type(type_))} != {"string"}:
        return found
    return F.when(text.rlike(_LONG_NUMBER), F.from_json(_with_quoted_numbers(text), type_)).otherwise(found)


def _with_quoted_numbers(text: Column) -> Column:
    """Return JSON in which numbers are strings, as they are written."""
    hidden = reduce(lambda one, pair: F.replace(one, F.lit(pair[0]), F.lit(pair[1])), _HIDDEN.items(), text)
    # Cut at each quote, every second part is the inside of a string.
    parts = F.transform(
        F.split(hidden, '"'), lambda part, place: F.when(place % 2 == 0, F.regexp_replace(part, _NUMBER, '"$1"')).otherwise(part)
    )
    return reduce(lambda one, pair: F.replace(one, F.lit(pair[1]), F.lit(pair[0])), _HIDDEN.items(), F.array_join(parts, '"'))


def _leaves(type_: Type) -> Iterator[Type]:
    for part in type_.of:
        yield from _leaves(part)
    if not type_.of:
        yield type_


def _is_one_value(text: Column) -> Column:
    """Tell whether a text is JSON by the standard, one array or object, and names nothing twice.

    Spark's parser stops where a value ends, whatever follows. So the text is read as the first item of an array whose second
    is a hash of the text: where that comes out second, the first item ended where the text does.
    """
    end = F.xxhash64(text)
    items = F.try_parse_json(F.concat(F.lit("["), text, F.lit(","), end.cast("string"), F.lit("]")))
    half = F.contains(text, F.lit("\\u")) & F.replace(text, F.lit("\\\\"), F.lit("")).rlike(_HALF_CHARACTER)
    is_one = F.try_variant_get(items, "$[1]", "bigint").eqNullSafe(end)
    return text.rlike(_IS_MANY) & is_one & ~half


def _item(pair: Column, json: Json) -> Column:
    item = StructType.fromDDL(f"item {json.type}").fields[0].dataType  # type: ignore[attr-defined] # a DDL text always gives a struct
    assert isinstance(item, ArrayType)  # noqa: S101 - `pairs` with another type is refused when the contract is read
    assert isinstance(item.elementType, StructType)  # noqa: S101
    places = {name: place for place, name in enumerate(json.pairs or [])}
    return F.struct(
        *(
            (F.get(pair, F.lit(places[field.name])) if field.name in places else F.lit(None)).cast(field.dataType).alias(field.name)
            for field in item.elementType.fields
        )
    )
