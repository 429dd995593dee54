"""What types do columns have, which of them can be compared, and which cast loses something?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp

DIALECT = "databricks"


@dataclass(frozen=True)
class Type:
    """A Spark SQL type; `of` holds the element of an array, key and value of a map, or the types of a struct's fields."""

    base: str
    precision: int = 0
    scale: int = 0
    of: tuple[Type, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """Return the types that it can be compared with: number, text, time, boolean, …, or unknown."""
        return _FAMILIES.get(self.base, self.base)

    @property
    def is_known(self) -> bool:
        """Tell whether anything can be said of it."""
        return self.base not in {"unknown", "void"}

    def field(self, name: str) -> Type | None:
        """Return the type of a struct's field, whatever the case of its name; None where there is none."""
        return next((type_ for field, type_ in zip(self.fields, self.of, strict=True) if field.lower() == name.lower()), None)

    def __str__(self) -> str:
        """Return the type as it is written in a contract."""
        if self.base == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.base == "struct":
            return f"struct<{', '.join(f'{name}: {type_}' for name, type_ in zip(self.fields, self.of, strict=True))}>"
        return f"{self.base}<{', '.join(map(str, self.of))}>" if self.of else self.base


UNKNOWN, VOID = Type("unknown"), Type("void")
STRING, BOOLEAN, INT, BIGINT, DOUBLE = (Type(base) for base in ("string", "boolean", "int", "bigint", "double"))
DATE, TIMESTAMP, BINARY = (Type(base) for base in ("date", "timestamp", "binary"))

SOME_NUMBER = Type("decimal", 38, 18)
"""A number of which arithmetic leaves no more to be told; it is never exact."""

WHOLE = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20}
"""Whole numbers, and how many digits a decimal needs to hold any of them."""

RANGES = {base: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for base, bits in (("tinyint", 8), ("smallint", 16), ("int", 32), ("bigint", 64))}
"""The least and the greatest whole number of each type."""

_APPROXIMATE = {"float", "double"}
_MOST_DIGITS = 38
_FAMILIES = {
    **dict.fromkeys((*WHOLE, *_APPROXIMATE, "decimal"), "number"),
    **dict.fromkeys(("string", "char", "varchar"), "text"),
    **dict.fromkeys(("date", "timestamp", "timestamp_ntz"), "time"),
}
_PARTS = {"ARRAY": range(1, 2), "LIST": range(1, 2), "MAP": range(2, 3), "STRUCT": range(1, 5_000)}
_KINDS = {
    "TINYINT": "tinyint",
    "UTINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INT": "int",
    "BIGINT": "bigint",
    "FLOAT": "float",
    "DOUBLE": "double",
    "TEXT": "string",
    "CHAR": "char",
    "VARCHAR": "varchar",
    "BOOLEAN": "boolean",
    "BINARY": "binary",
    "VARBINARY": "binary",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamp",
    "TIMESTAMPLTZ": "timestamp",
    "TIMESTAMPNTZ": "timestamp_ntz",
    "INTERVAL": "interval",
    "VARIANT": "variant",
}


class InvalidTypeError(ValueError):
    """The text is not a type that a column of a Delta table can have."""


@lru_cache(maxsize=4_000)
def read_type(text: str) -> Type:
    """Return the type that a text names.

    >>> str(read_type("ARRAY<struct<id: string, price: decimal(12, 2)>>"))
    'array<struct<id: string, price: decimal(12,2)>>'

    Raises:
        InvalidTypeError: Spark knows no such type, or no column can have it.
    """
    try:
        tree = exp.DataType.build(text, dialect=DIALECT, udt=False)
    except (sqlglot.errors.SqlglotError, ValueError, RecursionError) as error:
        raise InvalidTypeError(text) from error
    found = type_of(tree)
    if found.base in {"unknown", "interval"} or (text.strip().endswith(")") is False and "(" in text and "<" not in text):
        raise InvalidTypeError(text)
    return found


def type_of(tree: exp.DataType) -> Type:
    """Return the type that a syntax tree names; unknown where it is none that a column can have.

    Raises:
        InvalidTypeError: a part of it is malformed, such as a decimal of 40 digits.
    """
    kind = tree.this.name if hasattr(tree.this, "name") else str(tree.this)
    if kind == "DECIMAL":
        sizes = [int(size.name) for size in tree.expressions] or [10, 0]
        precision, scale = (*sizes, 0)[:2]
        if not 1 <= precision <= _MOST_DIGITS or not 0 <= scale <= precision:
            raise InvalidTypeError(tree.sql(DIALECT))
        return Type("decimal", precision, scale)
    if kind in _PARTS and len(tree.expressions) not in _PARTS[kind]:
        raise InvalidTypeError(tree.sql(DIALECT))
    if kind in {"ARRAY", "LIST"}:
        return Type("array", of=tuple(_part(part) for part in tree.expressions))
    if kind == "MAP":
        return Type("map", of=tuple(_part(part) for part in tree.expressions))
    if kind == "STRUCT":
        return Type("struct", of=tuple(_part(part) for part in tree.expressions), fields=tuple(part.name for part in tree.expressions))
    base = _KINDS.get(kind, "unknown")
    if base in {"char", "varchar"}:
        return STRING if tree.expressions else UNKNOWN
    return Type(base) if not tree.expressions or base == "interval" else UNKNOWN


def _part(tree: exp.Expr) -> Type:
    found = tree if isinstance(tree, exp.DataType) else tree.args.get("kind")
    if not isinstance(found, exp.DataType) or (type_ := type_of(found)) == UNKNOWN:
        raise InvalidTypeError(tree.sql(DIALECT))
    return type_


def decimal_of(type_: Type) -> Type:
    """Return the decimal that holds any whole number of a type; the type itself where it is none."""
    return Type("decimal", min(WHOLE[type_.base], _MOST_DIGITS), 0) if type_.base in WHOLE else type_


def wider(one: Type, other: Type) -> Type:
    """Return the type that holds values of both, unknown where there is none or it cannot be told.

    >>> str(wider(Type("decimal", 5, 4), INT)), str(wider(INT, STRING))
    ('decimal(14,4)', 'unknown')
    """
    if one == other or other.base == "void":
        return one
    if one.base == "void":
        return other
    if one.family == other.family == "number":
        if {one.base, other.base} & _APPROXIMATE:
            return DOUBLE
        if one.base in WHOLE and other.base in WHOLE:
            return max(one, other, key=lambda type_: WHOLE[type_.base])
        left, right = decimal_of(one), decimal_of(other)
        scale = max(left.scale, right.scale)
        whole = max(left.precision - left.scale, right.precision - right.scale)
        return Type("decimal", min(whole + scale, _MOST_DIGITS), scale)
    if one.family == other.family == "time":
        return TIMESTAMP
    return UNKNOWN


def reads_as(given: Type, other: Type) -> bool | None:
    """Tell whether values of two types can be compared: True, None only after a cast that may stop a run, or False never."""
    if not given.is_known or not other.is_known or given.family == other.family:
        if given.family == other.family == "struct":
            return len(given.fields) == len(other.fields)
        return True
    families = {given.family, other.family}
    if "text" in families and families & {"number", "time", "boolean"}:
        return None
    return families == {"text", "binary"} or "variant" in families


def loss(given: Type, declared: Type) -> str | None:
    """Return what a value may lose when it becomes another type without a word; None where nothing.

    >>> loss(Type("decimal", 12, 4), Type("decimal", 12, 2)), loss(INT, BIGINT)
    ('digits after the point', None)
    """
    if not given.is_known or not declared.is_known or given == declared:
        return None
    if given.base in {"timestamp", "timestamp_ntz"} and declared.base == "date":
        return "the time of day"
    if given.family != "number" or declared.family != "number":
        return None
    if given.base in _APPROXIMATE:
        return (
            "digits after the point"
            if declared.base in WHOLE
            else "precision"
            if (given.base, declared.base) == ("double", "float")
            else None
        )
    if declared.base in _APPROXIMATE:
        return None
    left, right = decimal_of(given), decimal_of(declared)
    if left.scale > right.scale:
        return "digits after the point"
    return "its greatest values" if left.precision - left.scale > right.precision - right.scale else None


def never_casts(given: Type, declared: Type) -> bool:
    """Tell whether no value of one type can become the other.

    >>> never_casts(DATE, INT), never_casts(STRING, INT)
    (True, False)
    """
    if not given.is_known or not declared.is_known or given.family == declared.family:
        return False
    nested = {"array", "map", "struct"}
    if given.base in nested or declared.base in nested:
        return declared.family != "text"
    families = (given.family, declared.family)
    if "text" in families or "binary" in families or "variant" in families:
        return False
    if given.base in {"timestamp", "timestamp_ntz"} and declared.family == "number":
        return False
    if given.family == "number" and declared.base == "timestamp":
        return False
    return set(families) != {"number", "boolean"}
