"""How is text cleansed?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.names import literal, quoted

if TYPE_CHECKING:
    from pyspark.sql import Column

    from framework.spec.table import Text

_RUN = r"(?U)\s+"
_UNEVEN = ("  ", "\t", "\n", "\r", "\u00a0")


def cleansed(name: str, text: Text) -> Column:
    """Return a column of text with blanks trimmed and squeezed, null where it spells null."""
    # Written as SQL: one call into Java for each column instead of thirty.
    sql = quoted(name)
    if text.squeeze:
        # A search for five byte strings is far cheaper than a regular expression on every value.
        uneven = " OR ".join(f"contains({sql}, {literal(blank)})" for blank in _UNEVEN)
        sql = f"CASE WHEN {uneven} THEN regexp_replace({sql}, {literal(_RUN)}, ' ') ELSE {sql} END"
    if text.trim:
        sql = f"trim({sql})"
    for null in text.nulls:
        sql = f"nullif({sql}, {literal(null)})"
    return F.expr(sql)
