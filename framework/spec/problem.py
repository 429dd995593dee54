"""How does a mistake look to the person who made it?

The exception tree::

    LakepactError            anything a user can mend; the command line prints it without a traceback
    ├── ContractError        contracts or metadata are wrong; carries every problem found
    ├── CannotRunError   the machine, a folder or an option is wrong; nothing was started
    └── RunError             a table could not be finished; says run, table and step
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from framework.spec.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Place(NamedTuple):
    """A spot in a file; line and column count from 1."""

    path: Path
    line: int = 1
    column: int = 1
    length: int = 1

    def __str__(self) -> str:
        """Return `file:line:column`, the form that editors turn into a link."""
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: where it is, what it is, why it matters and the way out."""

    where: Place
    code: str
    what: str
    why: str = field(compare=False)
    fix: str = field(compare=False)
    table: str = field(default="", compare=False)
    column: str = field(default="", compare=False)

    @property
    def is_warning(self) -> bool:
        """Tell whether the contract can run all the same."""
        return CODES[self.code].is_warning

    def text(self) -> str:
        """Return the problem as it is printed, with the line and a mark under the spot."""
        parts = [f"{self.where}: {'warning: ' if self.is_warning else ''}{self.code}", f"  {self.what}"]
        line = _line_at(self.where)
        if line is not None:
            number = str(self.where.line)
            mark = " " * (self.where.column - 1) + "^" * max(1, self.where.length)
            parts += [f"   {number} | {line}", f"   {' ' * len(number)} | {mark[: len(line) + 1]}"]
        return "\n".join([*parts, f"  why: {self.why}", f"  fix: {self.fix}"])


@dataclass(frozen=True)
class Acceptance:
    """A warning that a contract accepts, and why."""

    problem: Problem
    reason: str


class LakepactError(Exception):
    """Something that the user can mend."""


class ContractError(LakepactError):
    """Contracts or metadata are wrong; `problems` holds all of them, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems sorted by file and line."""
        self.problems = sorted(problems)
        super().__init__("\n\n".join(problem.text() for problem in self.problems))


class CannotRunError(LakepactError):
    """The machine, a folder or an option is wrong: what, and how to mend it."""

    def __init__(self, what: str, fix: str) -> None:
        """Join what is wrong and the way out."""
        self.what, self.fix = what, fix
        super().__init__(f"{what}\n  fix: {fix}")


class RunError(LakepactError):
    """A table could not be finished; the message says in which run, where and why."""


_MOST_WORDS = 25


def did_you_mean(wrong: object, known: Iterable[str]) -> str:
    """Return a fix that names the nearest known word, and the choice there is.

    >>> did_you_mean("colunm", ["column", "table"])
    'did you mean "column"? Known here: column, table.'
    """
    # The engine's own columns come last: they are seldom what was meant.
    words = sorted(set(known), key=lambda word: (word.startswith("_"), word))
    more = f", … and {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
    choice = f"Known here: {', '.join(words[:_MOST_WORDS])}{more}." if words else "Nothing is known here."
    return nearest(wrong, words, choice)


def nearest(wrong: object, known: Iterable[str], choice: str = "") -> str:
    """Return a fix that names the nearest known word, and `choice`.

    >>> nearest("uper", ["upper", "lower"])
    'did you mean "upper"?'
    """
    words = list(known)
    by_lower = {word.lower(): word for word in words}
    near = get_close_matches(str(wrong).lower(), by_lower, n=1, cutoff=0.6)
    if not choice and not near:
        choice = f"Known here: {', '.join(words[:_MOST_WORDS])}." if words else "Nothing is known here."
    return " ".join(part for part in (f'did you mean "{by_lower[near[0]]}"?' if near else "", choice) if part)


def _line_at(place: Place) -> str | None:
    try:
        lines = place.path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return lines[place.line - 1] if 0 < place.line <= len(lines) else None
