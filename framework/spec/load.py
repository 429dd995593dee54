"""How does a YAML file become plain values that remember their line?

Strict on purpose: a key written twice is a problem; `NO`, `012` and `12:30:00` stay text; only `true`, `false`,
`null` and plain decimal numbers are anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from framework.spec.problem import ContractError, Place, Problem

if TYPE_CHECKING:
    from pathlib import Path

Loc = tuple[int | str, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Document:
    """One YAML file: its value, and the place of every key and value in it."""

    path: Path
    value: Any
    keys: dict[Loc, Place] = field(default_factory=dict)
    values: dict[Loc, Place] = field(default_factory=dict)

    def key(self, loc: Loc) -> Place:
        """Return the place of the key at `loc`, or of the nearest thing around it."""
        return self.keys.get(loc) or self.place(loc)

    def place(self, loc: Loc) -> Place:
        """Return the place of the value at `loc`, or of the nearest thing around it."""
        while loc not in self.values and loc:
            loc = loc[:-1]
        return self.values.get(loc, Place(self.path))


def load(path: Path) -> Document:
    """Return the file's value with its places.

    Raises:
        ContractError: the file cannot be read, is not YAML, or repeats a key.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError([_unreadable(path, error)]) from error
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise ContractError([_not_yaml(path, error)]) from error
    document = Document(path, None)
    problems: list[Problem] = []
    value = _value(node, (), document, problems) if node is not None else None
    if problems:
        raise ContractError(problems)
    return Document(path, value, document.keys, document.values)


def _value(node: yaml.Node, loc: Loc, document: Document, problems: list[Problem]) -> Any:
    document.values.setdefault(loc, _place(document.path, node))
    if isinstance(node, yaml.ScalarNode):
        # libyaml says "" for a plain scalar, the Python parser says None.
        return node.value if node.style else scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*loc, i), document, problems) for i, item in enumerate(node.value)]
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place = _place(document.path, key_node)
        if key in found:
            problems.append(
                Problem(
                    place,
                    "duplicate-key",
                    f'The key "{key}" is written twice in this mapping.',
                    "YAML would keep the last one and forget the first without a word.",
                    f"keep one of them; the first is on line {document.keys[(*loc, key)].line}.",
                )
            )
            continue
        document.keys[(*loc, key)] = place
        found[key] = _value(value_node, (*loc, key), document, problems)
    return found


def scalar(text: str) -> str | int | float | bool | None:
    """Return what an unquoted word stands for.

    >>> [scalar(word) for word in ("true", "12", "012", "NO", "12:30:00", "1.5")]
    [True, 12, '012', 'NO', '12:30:00', 1.5]
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _place(path: Path, node: yaml.Node) -> Place:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Place(path, start.line + 1, start.column + 1, max(1, length))


def _unreadable(path: Path, error: OSError | UnicodeDecodeError) -> Problem:
    reason = error.strerror if isinstance(error, OSError) else f"byte {error.start} is not UTF-8"
    return Problem(
        Place(path),
        "unreadable-file",
        f"The file cannot be read: {reason}.",
        "contracts and metadata are UTF-8 text.",
        "save the file as UTF-8, and check that it may be read.",
    )


def _not_yaml(path: Path, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    where = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
    what = getattr(error, "problem", None) or str(error)
    return Problem(
        where,
        "invalid-yaml",
        f"This is not YAML: {what}.",
        "nothing of the file can be read until it is.",
        "check indentation and colons; put text that holds `: `, `#` or a leading `*`, `&`, `@` in quotes.",
    )
