"""Small mistakes, made on purpose in a contract's text, each with the line where it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.spec.load import Document, Loc
    from framework.spec.problem import Place

NAMES = {
    "source",
    "table",
    "like",
    "layer",
    "owner",
    "reference",
    "on",
    "take",
    "key",
    "group_by",
    "fill",
    "name",
    "pii",
    "of",
    "by",
    "from",
}
NAMES |= {
    "latest_by",
    "tie_break",
    "otherwise",
    "history",
    "column",
    "formats",
    "types",
    "grants",
    "in",
    "required",
    "missing",
    "method",
    "warning",
}
SQL = {"expr", "measure", "sql", "columns"}
TYPES = ("date", "boolean", "array<string>", "strng", "decimal(50,2)")


@dataclass(frozen=True)
class Mutation:
    """One mistake: its kind, where it is made, and the text with it."""

    kind: str
    loc: Loc
    line: int
    text: str

    def __str__(self) -> str:
        """Return what a failing test is named by."""
        return f"{self.kind} at line {self.line}: {'.'.join(map(str, self.loc))}"


def misspelt(word: str) -> str:
    """Return a word with its last two letters swapped, or one added.

    >>> misspelt("customer_id"), misspelt("aa")
    ('customer_di', 'aax')
    """
    swapped = word[:-2] + word[-1] + word[-2] if len(word) > 1 else word
    return swapped if swapped != word else f"{word}x"


def mutations(document: Document) -> Iterator[Mutation]:
    """Yield every mistake that the lists above make of a contract."""
    lines = document.text.split("\n")
    for loc, place in document.keys.items():
        key = str(loc[-1])
        if _stands(lines, place, key):
            yield Mutation("misspelt key", loc, place.line, _replaced(lines, place, key, misspelt(key)))
        if len(loc) == 1:
            yield from _whole_key(document, lines, loc, place)
    for loc, place in document.values.items():
        value = document.at(loc)
        if isinstance(value, str) and _stands(lines, place, value):
            yield from _of_value(document, lines, loc, place, value)


def _of_value(document: Document, lines: list[str], loc: Loc, place: Place, value: str) -> Iterator[Mutation]:
    key = next((part for part in reversed(loc) if isinstance(part, str)), "")
    if key in NAMES:
        word = value.split(" ", maxsplit=1)[0]
        yield Mutation("misspelt name", loc, place.line, _replaced(lines, place, word, misspelt(word)))
    if key == "type":
        is_plain = lines[place.line - 1][place.column - 1 :].startswith(value)
        for type_ in TYPES:
            written = f'"{type_}"' if is_plain else type_
            yield Mutation(f"retyped to {type_}", loc, place.line, _replaced(lines, place, value, written))
    if key in SQL or (len(loc) > 1 and loc[-2] == "columns" and isinstance(loc[-1], str)):
        yield from _broken(lines, loc, place, value)
    if isinstance(loc[-1], int):
        yield from _items(document, lines, loc, place)


def _broken(lines: list[str], loc: Loc, place: Place, sql: str) -> Iterator[Mutation]:
    if "\n" in sql:
        return
    if sql.endswith(")"):
        yield Mutation("bracket left open", loc, place.line, _replaced(lines, place, sql, sql[:-1]))
    function = re.search(r"[a-z_0-9]+(?=\()", sql)
    if function and function[0] not in {"cast", "in"}:
        yield Mutation(
            "misspelt function", loc, place.line, _replaced(lines, place, sql, sql.replace(function[0], misspelt(function[0]), 1))
        )
    for word in dict.fromkeys(re.findall(r"(?<![\w'.%\[{-])[a-z_][a-z_0-9]+(?![\w('])", sql)):
        if word not in {
            "case",
            "when",
            "then",
            "else",
            "end",
            "and",
            "or",
            "not",
            "is",
            "null",
            "as",
            "string",
            "rlike",
            "in",
            "distinct",
            "int",
        }:
            new = re.sub(rf"(?<![\w'.]){word}\b", misspelt(word), sql, count=1)
            yield Mutation(f"misspelt {word}", loc, place.line, _replaced(lines, place, sql, new))
    yield Mutation("operator without operand", loc, place.line, _replaced(lines, place, sql, f"{sql} +"))


def _items(document: Document, lines: list[str], loc: Loc, place: Place) -> Iterator[Mutation]:
    """Yield a list whose item stands twice, and one whose item is swapped with the next."""
    quoted = lines[place.line - 1][place.column - 1 : place.column - 1 + place.length]
    above = document.place(loc[:-1])
    if lines[above.line - 1][above.column - 1 : above.column] == "[":
        yield Mutation("item twice", loc, place.line, _replaced(lines, place, quoted, f"{quoted}, {quoted}"))


def _whole_key(document: Document, lines: list[str], loc: Loc, place: Place) -> Iterator[Mutation]:
    starts = sorted(one.line for key, one in document.keys.items() if len(key) == 1 and one.path == document.path)
    following = [line for line in starts if line > place.line]
    end = following[0] - 1 if following else len(lines)
    block = lines[place.line - 1 : end]
    yield Mutation("key dropped", loc, place.line, "\n".join([*lines[: place.line - 1], *lines[end:]]))
    yield Mutation("key twice", loc, end + 1, "\n".join([*lines[:end], *block, *lines[end:]]))


def _stands(lines: list[str], place: Place, text: str) -> bool:
    line = lines[place.line - 1]
    return line[place.column - 1 :].startswith((text, f'"{text}', f"'{text}")) and bool(text)


def _replaced(lines: list[str], place: Place, old: str, new: str) -> str:
    line = lines[place.line - 1]
    start = line.index(old, place.column - 1)
    changed = line[:start] + new + line[start + len(old) :]
    return "\n".join([*lines[: place.line - 1], changed, *lines[place.line :]])
