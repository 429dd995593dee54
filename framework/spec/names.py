"""How is a table addressed in SQL? All quoting is here."""

from __future__ import annotations

from dataclasses import dataclass


def quoted(identifier: str) -> str:
    """Return an identifier in backticks, whatever it holds.

    >>> quoted("dg-day"), quoted("a`b")
    ('`dg-day`', '`a``b`')
    """
    return "`" + identifier.replace("`", "``") + "`"


def literal(text: str | None) -> str:
    r"""Return a text as an SQL literal.

    >>> print(literal("it's"), literal(None))
    'it\'s' null
    """
    if text is None:
        return "null"
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@dataclass(frozen=True)
class TableName:
    """A table's name in parts; knows its own quoting."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        """Return the name as SQL wants it.

        >>> str(TableName(("my-catalog", "dg-day", "silver`things")))
        '`my-catalog`.`dg-day`.`silver``things`'
        """
        return ".".join(quoted(part) for part in self.parts)
