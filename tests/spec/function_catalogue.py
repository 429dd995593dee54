"""Asks Spark what functions it has: how many arguments each takes, of which types, and what comes out.

`python -m tests.spec.function_catalogue` writes framework/spec/sql/functions.json anew; it takes some minutes.
"""

from __future__ import annotations

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import SparkSession

FAMILIES = {
    "string": "string",
    "int": "int",
    "bigint": "bigint",
    "double": "double",
    "decimal": "decimal(10,2)",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "boolean",
    "binary": "binary",
    "array": "array<int>",
    "map": "map<string,int>",
    "struct": "struct<a:int>",
}
MOST_ARGUMENTS = 9
NAME = re.compile(r"[a-z_][a-z0-9_]*")
GROUPS = {"agg_funcs": "aggregate", "window_funcs": "window", "generator_funcs": "generator", "table_funcs": "generator"}
REFUSED = "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE"
# Asked with nulls beside it, Spark refuses even what these take: their first argument is of one family.
TAKES_FIRST = {
    **{name: {"array"} for name in ("array_contains", "array_except", "array_intersect", "array_insert", "arrays_overlap", "array_union")},
    "map_contains_key": {"map"},
    "element_at": {"array", "map"},
    "try_element_at": {"array", "map"},
}


def names(spark: SparkSession) -> list[str]:
    """Return the names of Spark's functions, operators left out."""
    return sorted({row[0] for row in spark.sql("show functions").collect() if NAME.fullmatch(row[0])})


def catalogue(spark: SparkSession, asked: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what Spark says of the functions `asked`, by name."""
    columns = ", ".join(f"cast(null as {type_}) as c_{family}" for family, type_ in FAMILIES.items())
    spark.sql(f"select {columns}").createOrReplaceTempView("typed")
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        # A call waits for Java more than it works.
        with ThreadPoolExecutor(12) as pool:
            return dict(pool.map(lambda name: (name, _described(spark, name)), asked))
    finally:
        logging.disable(before)


def _described(spark: SparkSession, name: str) -> dict[str, Any]:
    session: Any = spark
    catalog = session._jsparkSession.sessionState().catalog()
    identifier = session._jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(name)
    group = GROUPS.get(catalog.lookupFunctionInfo(identifier).getGroup(), "")
    over = " over (order by c_int)" if group == "window" else ""
    arities = []
    for count in range(MOST_ARGUMENTS + 1):
        _, error = _asked(spark, f"{name}({', '.join(['null'] * count)}){over}")
        if not (error or "").startswith("WRONG_NUM_ARGS"):
            arities.append(count)
    verdicts: dict[int, dict[str, list[str]]] = {}
    returns: dict[str, str] = {}
    for count in [arity for arity in arities if arity <= 4][:2]:
        if count == 0:
            found, _ = _asked(spark, f"{name}(){over}")
            returns |= {"()": found} if found else {}
        for position in range(count):
            for family in FAMILIES:
                arguments = ["null"] * count
                arguments[position] = f"c_{family}"
                found, error = _asked(spark, f"{name}({', '.join(arguments)}){over}")
                if found and position == 0:
                    returns.setdefault(family, found)
                verdicts.setdefault(position, {}).setdefault(family, []).append(error or "")
    return compact(name, group, arities, verdicts, returns)


def compact(
    name: str, group: str, arities: list[int], verdicts: dict[int, dict[str, list[str]]], returns: dict[str, str]
) -> dict[str, Any]:
    """Return one function's record, without what goes without saying."""
    record: dict[str, Any] = {"args": [count for count in arities if count < MOST_ARGUMENTS]}
    if MOST_ARGUMENTS in arities:
        record["more"] = True
    if group:
        record["group"] = group
    refuses = [
        [family for family, errors in verdicts[position].items() if errors and all(error == REFUSED for error in errors)]
        for position in sorted(verdicts)
    ]
    # Where nothing is taken, Spark wanted something that was not tried, such as an array of arrays.
    refuses = [[] if len(families) == len(FAMILIES) else families for families in refuses]
    if name in TAKES_FIRST:
        refuses = [[family for family in FAMILIES if family not in TAKES_FIRST[name]], *refuses[1:]]
    while refuses and not refuses[-1]:
        refuses.pop()
    if refuses:
        record["refuses"] = refuses
    typed = {family: found for family, found in returns.items() if family != "()"}
    if len(typed) > 1 and all(found == FAMILIES[family] for family, found in typed.items()):
        record["returns"] = {"*": "="}
    elif len(set(returns.values())) == 1:
        record["returns"] = {"*": next(iter(returns.values()))}
    elif returns:
        record["returns"] = {family: found for family, found in returns.items() if family not in {"decimal", "array", "map", "struct"}}
    return record


def _asked(spark: SparkSession, call: str) -> tuple[str | None, str | None]:
    try:
        rows: Any = spark.sql(f"select {call} as x from typed")
    except PySparkException as error:
        return None, error.getCondition() or "?"
    schema = rows._jdf.schema()
    return (schema.apply(0).dataType().simpleString() if schema.size() == 1 else "many"), None


def written(found: dict[str, dict[str, Any]]) -> str:
    """Return the catalogue as it is kept: a line per function."""
    lines = (f"{json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Write the catalogue anew."""
    from framework.lakehouse.session import start_session  # noqa: PLC0415 - the test has a session of its own
    from framework.spec.sql.functions import CATALOGUE  # noqa: PLC0415

    spark = start_session({})
    CATALOGUE.write_text(written(catalogue(spark, names(spark))), "utf-8")


if __name__ == "__main__":
    main()
