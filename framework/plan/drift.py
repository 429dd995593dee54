"""How does a delivered file differ from what its contract says, and from the file before?

Nothing here refuses a file: what a contract does not allow is refused before it is read, see `lakehouse/landing.py`.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from framework.spec.table import FileTable


def drift(table: FileTable, header: Sequence[str], before: Sequence[str] = ()) -> Iterator[str]:
    """Yield what a reader of the log should know of a file's columns; `before` is the header of the file before, if any.

    An optional column that is missing again, as in the file before, is no news.
    """
    there = {name.lower() for name in header}
    declared = {column.name.lower() for column in table.columns}
    unknown = [name for name in header if name.lower() not in declared]
    missing = [column.name for column in table.columns if column.name.lower() not in there]
    if unknown:
        what = "kept in _rescued" if table.files.unknown_columns == "rescue" else "left out"
        yield f"{_columns(unknown)} not in the contract: {what}"
    earlier = {name.lower() for name in before}
    for name in missing:
        near = get_close_matches(name, unknown, n=1)
        if near or name.lower() in earlier:
            yield f"{_columns([name])} missing, and null" + (f"; it may be called {near[0]} now" if near else "")
    gone = [name for name in before if name.lower() not in there and name.lower() not in declared]
    if gone:
        yield f"{_columns(gone)} gone since the file before"
    shared = [name.lower() for name in header if name.lower() in earlier]
    if shared != [name.lower() for name in before if name.lower() in there]:
        yield "its columns come in another order than in the file before; they are told by their names"


def _columns(names: Sequence[str]) -> str:
    shown = ", ".join(name or "(no name)" for name in names)
    return f"the columns {shown} are" if len(names) > 1 else f"the column {shown} is"
