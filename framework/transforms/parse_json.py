"""How does text that holds JSON become an array or a struct?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructType

if TYPE_CHECKING:
    from pyspark.sql import Column

    from framework.spec.source import Json

_STARTS_WITH_PAIR = r"^\s*\[\s*\["


def parsed(text: Column, json: Json) -> Column:
    """Return the text read as `json.type`; null where it cannot be read, as a whole or in any item.

    Spark reads one bare object as an array of one by itself.
    """
    objects = F.from_json(text, json.type)
    if not json.pairs:
        return objects
    pairs = F.from_json(text, "array<array<string>>")
    return F.when(text.rlike(_STARTS_WITH_PAIR), F.transform(pairs, lambda pair: _item(pair, json))).otherwise(objects)


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
