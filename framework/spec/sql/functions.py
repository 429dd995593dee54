"""Which functions does Spark know, what do they take, and what comes out?

`functions.json` holds what Spark 4.1.1 itself answered, asked function by function, number of arguments by number of
arguments, type by type; `tests/spec/sql/catalogue.py` asks again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from framework.spec.sql.types import UNKNOWN, InvalidTypeError, Type, read_type

CATALOGUE = Path(__file__).with_name("functions.json")

FAMILIES = ("string", "int", "bigint", "double", "decimal", "date", "timestamp", "boolean", "binary", "array", "map", "struct")
"""The types that Spark was asked about."""

UNSTABLE = frozenset(
    {
        "current_date",
        "curdate",
        "current_timestamp",
        "current_time",
        "now",
        "localtimestamp",
        "current_timezone",
        "current_user",
        "session_user",
        "user",
        "input_file_name",
        "monotonically_increasing_id",
        "spark_partition_id",
        "rand",
        "random",
        "randn",
        "randstr",
        "uniform",
        "uuid",
        "shuffle",
    }
)
"""Functions that answer otherwise when they are asked again, for the same row."""

UNORDERED = frozenset({"first", "first_value", "last", "last_value", "any_value", "collect_list", "array_agg", "listagg", "string_agg"})
"""Aggregates whose answer depends on the order in which rows come, which Spark does not promise."""

RAISING = frozenset(
    {"to_date", "to_timestamp", "to_number", "to_binary", "int", "bigint", "smallint", "tinyint", "float", "double", "decimal", "date"}
    | {"timestamp", "boolean", "to_time", "parse_json", "unix_timestamp", "to_unix_timestamp"}
)
"""Functions that read text and stop the run at the first that cannot be read; Spark has a `try_` form or `try_cast` for each."""


@dataclass(frozen=True)
class Function:
    """A function as Spark knows it."""

    name: str
    group: str
    arities: frozenset[int]
    is_variadic: bool
    refuses: tuple[frozenset[str], ...]
    returns: dict[str, str]

    def takes(self, count: int) -> bool:
        """Tell whether it can be called with so many arguments."""
        return count in self.arities or (self.is_variadic and count >= max(self.arities, default=0))

    def returned(self, first: Type | None) -> Type:
        """Return the type that comes out, given the type of the first argument; unknown where it cannot be told."""
        key = first.base if first else "()"
        text = self.returns.get(key) or self.returns.get("*")
        if text == "=":
            return first or UNKNOWN
        try:
            return read_type(text) if text else UNKNOWN
        except InvalidTypeError:
            return UNKNOWN

    @property
    def said_arities(self) -> str:
        """Return in words how many arguments it takes."""
        counts = sorted(self.arities)
        if self.is_variadic:
            return f"{counts[0]} or more"
        return " or ".join(str(count) for count in counts) if counts else "other"


@lru_cache(maxsize=1)
def functions() -> dict[str, Function]:
    """Return the functions by their lower-case names."""
    raw = json.loads(CATALOGUE.read_text("utf-8"))
    return {
        name: Function(
            name,
            one.get("group", ""),
            frozenset(one["args"]),
            one.get("more", False),
            tuple(frozenset(types) for types in one.get("refuses", ())),
            one.get("returns", {}),
        )
        for name, one in raw.items()
    }


def is_aggregate(name: str) -> bool:
    """Tell whether a function gathers several rows into one value.

    >>> is_aggregate("count"), is_aggregate("upper")
    (True, False)
    """
    found = functions().get(name)
    return found is not None and found.group == "aggregate"
