"""How is text cleansed?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

    from framework.spec.table import Text

_UNEVEN = ("  ", "\t", "\n", "\r", "\u00a0")


def cleansed(column: Column, text: Text) -> Column:
    """Return the text with blanks trimmed and squeezed, null where it spells null."""
    if text.squeeze:
        # A search for five byte strings is far cheaper than a regular expression on every value.
        uneven = F.lit(False)
        for blank in _UNEVEN:
            uneven = uneven | column.contains(blank)
        squeezed = F.regexp_replace(column, r"(?U)\s+", " ")
        column = F.when(uneven, squeezed).otherwise(column)
    if text.trim:
        column = F.trim(column)
    return F.when(~column.isin(text.nulls), column) if text.nulls else column
