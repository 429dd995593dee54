"""How does a value become a type, without ever stopping a run?

A value that cannot be read as the type is null; the caller tells it from a missing one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column

_INTEGERS = {"tinyint", "smallint", "int", "integer", "bigint", "long"}
_WHOLE = r"^[+-]?[0-9]+\.0*$"
_UNIX_SECONDS = r"^[0-9]{1,11}(\.[0-9]+)?$"
# Spark's own cast also takes `2019` and `10:11`, which are a number and a time, not a day.
_ISO_8601 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?$"


def readable(value: Column, given: str, wanted: str, formats: Sequence[str] = ()) -> Column:
    """Return `value`, of type `given`, as type `wanted`; null where it cannot be read as that."""
    kind = re.split(r"[(<]", wanted.lower())[0].strip()
    if given == wanted:
        return value
    if kind in _INTEGERS:
        return _integer(value, given, wanted)
    if kind in {"date", "timestamp"}:
        return _moment(value, given, formats).try_cast(kind)
    return value.try_cast(wanted)


def _integer(value: Column, given: str, wanted: str) -> Column:
    if given in _INTEGERS:
        return value.try_cast(wanted)
    # A cast from decimal or double drops the fraction without a word; as text, 2.5 is not a whole number.
    text = F.trim(value.cast("string"))
    whole = F.regexp_replace(text, r"\.0*$", "")
    return F.coalesce(text.try_cast(wanted), F.when(text.rlike(_WHOLE), whole.try_cast(wanted)))


def _moment(value: Column, given: str, formats: Sequence[str]) -> Column:
    if given in {"date", "timestamp", "timestamp_ntz"}:
        return value
    text = F.trim(value.cast("string"))
    return F.coalesce(*(_in_format(text, one) for one in formats or ["iso8601"]))


def _in_format(text: Column, form: str) -> Column:
    if form == "unix_seconds":
        return F.when(text.rlike(_UNIX_SECONDS), F.timestamp_seconds(text.try_cast("decimal(20,6)")))
    if form == "iso8601":
        return F.when(text.rlike(_ISO_8601), text.try_cast("timestamp"))
    return F.try_to_timestamp(text, F.lit(form))
