"""What becomes of a source's rows before they are mapped: text cleansed, JSON read, arrays exploded, columns joined?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from framework.spec.dedupe import ExactRepeats
from framework.spec.names import quoted
from framework.spec.rules import rules_of
from framework.spec.table import FILE_TECHNICAL
from framework.transforms.joins import MATCHED, with_taken
from framework.transforms.parse_json import parsed
from framework.transforms.rows import AT, RAW
from framework.transforms.text import cleansed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from framework.spec.source import TableSource
    from framework.spec.table import GroupedTable, MappedTable


def source_rows(rows: DataFrame, table: MappedTable, source: TableSource) -> DataFrame:
    """Return the source's rows, one for each item where it is exploded; the untouched values beside them."""
    types = dict(rows.dtypes)
    untouched = {f"{RAW}{name}": F.col(quoted(name)) for name in types}
    business = [name for name in types if not name.startswith("_")]
    text = {}
    if table.text and set(FILE_TECHNICAL) <= set(types):
        text = {name: cleansed(name, table.text) for name in business if types[name] == "string"}
    json = {name: parsed(F.col(quoted(name)), one) for name, one in source.parse_json.items()}
    same = {}
    if isinstance(table.dedupe, ExactRepeats):
        same = {f"__same_{name}": text[name] if name in text else F.col(quoted(name)) for name in business}
    rows = rows.withColumns(untouched | text | json | same)
    if source.explode:
        position = source.explode.position or AT
        item = source.explode.as_
        rows = rows.select("*", F.posexplode(F.col(quoted(source.explode.column))).alias(AT, item))
        rows = rows.withColumns(
            {AT: F.col(AT) + 1, position: F.col(AT) + 1, f"{RAW}{item}": F.col(quoted(item)), f"{RAW}{position}": F.col(AT) + 1}
        )
    return rows


def joined(rows: DataFrame, table: MappedTable | GroupedTable, inputs: Mapping[str, DataFrame]) -> DataFrame:
    """Return the rows with the columns that the table's joins take, and a flag for each join that must match."""
    flags = iter([rule.flag for rule in rules_of(table) if rule.kind == "match"])
    for join in table.joins:
        rows = with_taken(rows, inputs[join.table], join.on, join.take)
        if join.missing == "drop":
            rows = rows.withColumn(next(flags), F.col(MATCHED).isNull())
        rows = rows.drop(MATCHED)
    return rows
