"""How may a date or a time be written in the source?"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from framework.spec.grammar import CodedError
from framework.spec.problem import nearest

NAMED = ("unix_seconds", "iso8601")

# The letters of Spark's patterns: https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html
_LETTERS = set("GyDMLdQqEFahKkHmsSVzOXx")
_QUOTED = re.compile(r"'(?:[^']|'')*'")


def _format(text: str) -> str:
    if text in NAMED:
        return text
    fault = _fault(text)
    if fault:
        raise CodedError("invalid-format", f'"{text}" is no format: {fault}.', nearest(text, NAMED, "A pattern is such as `yyyy-MM-dd`."))
    return text


def _fault(text: str) -> str | None:
    bare = _QUOTED.sub("", text)
    letters = [letter for letter in bare if letter.isalpha()]
    unknown = [letter for letter in letters if letter not in _LETTERS]
    if unknown:
        year = "; a year is `yyyy`" if unknown[0] == "Y" else ""
        return f"`{unknown[0]}` is no letter of a pattern{year}"
    if "'" in bare:
        return "a quote is not closed"
    if "y" not in letters:
        return "it has no year"
    if "m" in letters and "M" not in letters and "L" not in letters:
        return "`mm` are minutes; months are `MM`"
    if "D" in letters and "M" in letters:
        return "`D` is the day of the year; the day of the month is `d`"
    if "h" in letters and "a" not in letters:
        return "`h` is an hour of half a day and needs `a`; hours of a day are `HH`"
    return None


Format = Annotated[str, AfterValidator(_format)]
