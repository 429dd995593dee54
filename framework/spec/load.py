"""How does a YAML file become plain values that remember their line?

Strict on purpose: a key written twice is a problem; `NO`, `012` and `12:30:00` stay text; only `true`, `false`,
`null` and plain decimal numbers are anything else. Anchors, aliases, merge keys and tags are refused: what a contract
says stands where it is read, and one line cannot stand for a million.
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

MOST_BYTES = 1_000_000
MOST_LEVELS = 40

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")  # `-0` would come back as `0`
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Document:
    """One YAML file: its value, and the place of every key and value in it."""

    path: Path
    value: Any
    keys: dict[Loc, Place] = field(default_factory=dict)
    values: dict[Loc, Place] = field(default_factory=dict)
    text: str = ""
    nothing: list[Loc] = field(default_factory=list)
    """Keys and items that have no value."""

    def key(self, loc: Loc) -> Place:
        """Return the place of the key at `loc`, or of the nearest thing around it."""
        return self.keys.get(loc) or self.place(loc)

    def place(self, loc: Loc) -> Place:
        """Return the place of the value at `loc`, or of the nearest thing around it."""
        while loc not in self.values and loc:
            loc = loc[:-1]
        return self.values.get(loc, Place(self.path))

    def spot(self, loc: Loc, offset: int, length: int = 1) -> Place:
        """Return the place of a part of the text at `loc`: `offset` characters into the value, as YAML gives it."""
        start = self.place(loc)
        value = self.at(loc)
        if not isinstance(value, str) or start.path != self.path or loc not in self.values:
            return start
        found = _aligned(self.text, start, value, offset)
        return Place(self.path, *found, length) if found else start

    def at(self, loc: Loc) -> Any:
        """Return the value at `loc`; None where there is none."""
        value = self.value
        for part in loc:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):  # noqa: PERF203 - a place is a few steps deep
                return None
        return value


def _aligned(text: str, start: Place, value: str, offset: int) -> tuple[int, int] | None:
    """Return line and column of the `offset`-th character of a value that begins at `start` in the file's text."""
    lines = text.split("\n")
    at = sum(len(line) + 1 for line in lines[: start.line - 1]) + start.column - 1
    if text[at : at + 1] in {"|", ">"}:
        at = text.find("\n", at) + 1
    elif text[at : at + 1] in {'"', "'"}:
        at += 1
    done = 0
    while at < len(text):
        wanted, given = value[done : done + 1], text[at]
        if wanted == given:
            if done == offset:
                before = text[:at]
                return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
            done, at = done + 1, at + 1
        elif given.isspace() or given in {"\\", "'"}:
            # Indentation, and what YAML writes before a quote.
            at += 1
        elif wanted.isspace():
            # A line break in the file was folded into a blank, and has been passed.
            done += 1
        else:
            return None
    return None


def load(path: Path) -> Document:
    """Return the file's value with its places.

    Raises:
        ContractError: the file cannot be read, is not YAML, or repeats a key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ContractError([_unreadable(path, f"{error.strerror}")]) from error
    return loaded(path, data)


def loaded(path: Path, data: bytes) -> Document:
    """Return the value of a file that has been read.

    Raises:
        ContractError: the file is not UTF-8, is not YAML, or repeats a key.
    """
    text = _text(path, data)
    problem = _unsupported(path, text)
    if problem:
        raise ContractError([problem])
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        raise ContractError([_not_yaml(path, error, text)]) from error
    if node is None:
        what = "The file is empty." if not text.strip() else "The file holds comments alone."
        raise ContractError(
            [Problem(Place(path), "empty-file", what, "a file without keys describes nothing.", "write the contract, or delete the file.")]
        )
    document = Document(path, None, text=text)
    problems: list[Problem] = []
    value = _value(node, (), document, problems)
    if problems:
        raise ContractError(problems)
    return Document(path, value, document.keys, document.values, text, document.nothing)


def _text(path: Path, data: bytes) -> str:
    if len(data) > MOST_BYTES:
        what = f"The file has {len(data):,} bytes; {MOST_BYTES:,} are read at most."
        fix = "one file describes one table; move data to metadata/reference or into a delivery."
        raise ContractError([Problem(Place(path), "file-too-large", what, "a contract is read by people.", fix)])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        kind = "; it looks like UTF-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ""
        raise ContractError([_unreadable(path, f"byte {error.start} is not UTF-8{kind}", line, column)]) from error


def _unsupported(path: Path, text: str) -> Problem | None:
    """Return the first anchor, alias, merge key or tag of a text; the text is scanned only where it may hold one."""
    if not _SUSPECT.search(text):
        return None
    kinds = {yaml.AnchorToken: "an anchor", yaml.AliasToken: "an alias", yaml.TagToken: "a tag"}
    try:
        for token in yaml.scan(text, Loader=_LOADER):
            kind = kinds.get(type(token))
            if isinstance(token, yaml.ScalarToken) and token.plain and token.value == "<<":
                kind = "a merge key"
            if kind:
                return Problem(
                    Place(path, token.start_mark.line + 1, token.start_mark.column + 1, 1),
                    "unsupported-yaml",
                    f"YAML would read {kind} here.",
                    "what a contract says stands where it is read, not elsewhere in the file.",
                    "write it out, use `like:` or a layer's defaults; put text that begins with `&`, `*` or `!` in quotes.",
                )
    except yaml.YAMLError:
        return None
    return None


_SUSPECT = re.compile(r"(?:^|[\s\[{,])[&*!]\S|<<", re.MULTILINE)


def _value(node: yaml.Node, loc: Loc, document: Document, problems: list[Problem]) -> Any:
    document.values.setdefault(loc, _place(document.path, node))
    if isinstance(node, yaml.ScalarNode):
        # libyaml says "" for a plain scalar, the Python parser says None.
        found = node.value if node.style else scalar(node.value)
        if found is None:
            document.nothing.append(loc)
        return found
    if len(loc) >= MOST_LEVELS:
        where = _place(document.path, node)
        what = f"This is nested {MOST_LEVELS} levels deep."
        problems.append(Problem(where, "invalid-value", what, "nothing in a contract is.", "write it flatter."))
        return None
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*loc, i), document, problems) for i, item in enumerate(node.value)]
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = _place(document.path, key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(
                Problem(place, "invalid-value", "A key is a word, not a list or a mapping.", "keys are looked up by name.", "write a word.")
            )
            continue
        key = str(key_node.value)
        if key in mapping:
            first = document.keys[(*loc, key)].line
            problems.append(
                Problem(
                    place,
                    "duplicate-key",
                    f'The key "{key}" is written twice in this mapping.',
                    "YAML would keep the last one and forget the first without a word.",
                    f"keep one of them; the first is on line {first}.",
                )
            )
            continue
        document.keys[(*loc, key)] = place
        mapping[key] = _value(value_node, (*loc, key), document, problems)
    return mapping


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


def _unreadable(path: Path, reason: str, line: int = 1, column: int = 1) -> Problem:
    return Problem(
        Place(path, line, column),
        "unreadable-file",
        f"The file cannot be read: {reason}.",
        "contracts and metadata are UTF-8 text.",
        "save the file as UTF-8, and check that it may be read.",
    )


def _not_yaml(path: Path, error: yaml.YAMLError | RecursionError, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    where = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    if getattr(error, "context", None) == "expected a single document in the stream":
        what = "The file holds several documents, parted by `---`."
        return Problem(where, "several-documents", what, "one file describes one table.", "give each table a file of its own.")
    lines = text.split("\n")
    line = lines[where.line - 1] if where.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        fix = "indent with blanks; this line is indented with a tab."
    else:
        fix = "check indentation and colons; put text that holds `: `, `#` or a leading `*`, `&`, `@` in quotes."
    return Problem(where, "invalid-yaml", f"This is not YAML: {what}.", "nothing of the file can be read until it is.", fix)
