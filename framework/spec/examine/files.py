"""What is wrong in a contract of delivered files, and what do its columns hold?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.spec.examine.contract import Examination
from framework.spec.facts import ColumnFacts
from framework.spec.sql.values import Value
from framework.spec.table import FILE_TECHNICAL

if TYPE_CHECKING:
    from framework.spec.table import FileTable


class FileExamination(Examination):
    """A table of delivered files, looked at."""

    kind = "files"
    table: FileTable

    def look(self) -> None:
        """Look at the columns; those that the engine adds are never null, but for what was rescued."""
        for i, column in enumerate(self.table.columns):
            if column.name.lower() in FILE_TECHNICAL:
                what = f"{column.name} is a column that the engine adds."
                self.say("duplicate-column", ("columns", i, "name"), what, "delete it; it is there anyway.", column=column.name)
            self.say_method(column, None, Value(), ("columns", i))
            self.keep(column, Value(), "string", ("columns", i))
        # A row that is shifted, or a column that nobody expected, may hold whatever the file's other columns hold.
        held = tuple(sorted({name for column in self.table.columns for name in column.pii_classes}))
        for name, type_ in FILE_TECHNICAL.items():
            pii = held if name == "_rescued" else ()
            nulls = None if name == "_rescued" else ()
            self.facts.columns.setdefault(name, ColumnFacts(name, type_, pii, (), nulls, (), self.spot("files"), "added by the engine"))
