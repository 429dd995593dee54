"""What is said of SQL before Spark starts is what Spark says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pyspark.errors import PySparkException

from framework.spec.examine.contract import Rows
from framework.spec.sql.functions import CATALOGUE, functions
from framework.spec.sql.infer import Reading
from framework.spec.sql.parse import InvalidSqlError, parsed
from framework.spec.sql.types import Type, read_type
from framework.spec.sql.values import NEVER, Value
from tests.spec.function_catalogue import catalogue, names, written

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from sqlglot import exp

COLUMNS = {
    "s": "string",
    "t": "string",
    "i": "int",
    "j": "bigint",
    "n": "smallint",
    "d": "double",
    "p": "decimal(12,2)",
    "q": "decimal(5,4)",
    "day": "date",
    "at": "timestamp",
    "b": "boolean",
    "xs": "array<string>",
    "st": "struct<a: int, b: string>",
    "ss": "array<struct<a: int, b: string>>",
    "m": "map<string,int>",
}
SOUND = """
upper(s) | lower(s) || t | concat(s, t) | concat_ws('-', s, t) | length(s) | substring(s, 1, 2) | lpad(s, 5, '0') | trim(s)
initcap(s) | regexp_replace(s, '[^0-9]', '') | split(s, ',') | split_part(s, ',', 1) | s rlike '^a' | s like 'a%' | s is null
s = t | s <=> t | i + j | i * n | p + q | p * q | p - i | i / nullif(j, 0) | p / nullif(q, 0) | i div nullif(n, 0)
i % nullif(n, 0) | -p | d + i | d * p | round(p, 1) | round(p * q, 2) | round(d, 2) | abs(i) | abs(p) | floor(d) | ceil(d)
greatest(i, j) | least(i, n) | coalesce(i, j) | coalesce(s, 'x') | nullif(i, 0) | if(b, i, j) | case when b then 1 else 2 end
case when b then s end | case i when 1 then 'a' else 'b' end | nvl(p, 0) | cast(i as string) | cast(p as decimal(5,1))
try_cast(s as int) | cast(day as timestamp) | cast(at as date) | j::string | string(i) | year(day) | month(at)
date_add(day, 1) | datediff(day, day) | date_trunc('MONTH', at) | to_date(at) | date_format(day, 'yyyy') | last_day(day)
day + 1 | day - 1 | at > timestamp '2020-01-01 00:00:00' | day between date'2020-01-01' and date'2021-01-01'
day > '2020-01-01' | i in (1, 2, 3) | size(xs) | array_sort(xs) | xs[0] | element_at(xs, 1) | array_contains(xs, 'a')
transform(xs, x -> upper(x)) | filter(xs, x -> x <> 'a') | st.a | st.b | ss.a | ss[0].b | m['k'] | map_keys(m)
exists(ss, x -> x.a > 1) | aggregate(xs, 0, (a, x) -> a + 1) | md5(s) | sha2(s, 256) | hash(s, i) | xxhash64(s) | isnull(s)
not b | b and i > 1 | b or s is not null | not (i = 1) | array(i, j) | struct(i, s) | named_struct('a', i) | map('k', i)
try_divide(i, j) | try_divide(p, q) | interval 3 days + at | extract(year from day) | char_length(s) | unix_seconds(at)
timestamp_seconds(i) | i between 1 and 2 | s in ('a', 'b') | nvl2(s, i, j) | position('a' in s) | locate('a', s)
replace(s, 'a', 'b')
"""
EXPRESSIONS = [
    part.strip() for line in SOUND.strip().splitlines() for part in line.split(" | ") if part.strip() != "explode_outer_is_no_name"
]
AGGREGATES = """
count(*) | count(s) | count(distinct s, i) | sum(i) | sum(p) | sum(d) | avg(i) | avg(p) | min(day) | max(p) | max_by(s, i)
collect_set(i) | count_if(b) | approx_count_distinct(s) | sum(i) filter (where b) | any_value(s) | stddev(d)
percentile_approx(d, 0.5) | bool_and(b) | max(st)
"""
MEASURES = [part.strip() for line in AGGREGATES.strip().splitlines() for part in line.split(" | ")]
UNSOUND = """
uper(s) | lpad(s) | upper(s, t) | size(s) | year(i) | day + p | day + day | day = i | b + 1 | -s_ | st.c | xs.a | i and b
not i | sum(s_) | date_add(day, d) | array_contains(i, 1) | element_at(s, 1) | coalesce(day, i) | if(i, 1, 2)
case when i then 1 end | cast(day as int) | cast(xs as int) | cast(b as date) | datediff(i, day) | concat(st, s) | i in (day)
day between 1 and 2 | transform(s, x -> x) | map_keys(s) | cast(i as date)
"""
FAULTY = [part.strip() for line in UNSOUND.strip().splitlines() for part in line.split(" | ")]


def rows() -> Rows:
    """Return the columns that the expressions speak of."""
    found = Rows({})
    for name, type_ in COLUMNS.items():
        found.add(name, Value(read_type(type_), NEVER, is_exact=True))
    return found


def read(sql: str) -> tuple[Value, list[str]]:
    """Return what is inferred of an expression, and the codes of what is wrong in it."""
    codes: list[str] = []

    def report(code: str, node: exp.Expr, what: str, fix: str) -> None:
        assert node is not None
        assert what
        assert fix
        codes.append(code)

    try:
        return Reading(rows(), report, may_aggregate=True).value(parsed(sql)), codes
    except InvalidSqlError:
        return Value(), ["invalid-expression"]


@pytest.fixture(scope="module")
def typed(spark: SparkSession) -> SparkSession:
    columns = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in COLUMNS.items())
    spark.sql(f"select {columns}").createOrReplaceTempView("typed_columns")
    return spark


def test_spark_gives_the_type_that_is_inferred(typed: SparkSession) -> None:
    wrong, known = [], 0
    for sql in [*EXPRESSIONS, *MEASURES]:
        value, codes = read(sql)
        schema = typed.sql(f"select {sql} as x from typed_columns").schema
        given = read_type(schema[0].dataType.simpleString()) if "interval" not in schema[0].dataType.simpleString() else Type("interval")
        if codes:
            wrong.append(f"{sql}: {codes}")
        if value.type.is_known and value.is_exact and value.type != given:
            wrong.append(f"{sql}: {value.type}, Spark says {given}")
        if value.type.is_known and value.type.family != given.family:
            wrong.append(f"{sql}: {value.type}, Spark says {given}")
        known += value.type.is_known
    assert wrong == []
    assert known > len(EXPRESSIONS) * 0.8, "an unknown type is never wrong, and of no use"


def test_spark_refuses_what_is_found_wrong(typed: SparkSession) -> None:
    for sql in FAULTY:
        text = sql.replace("s_", "st")
        _, codes = read(text)
        assert codes, f"{text} is passed over"
        with pytest.raises(PySparkException):
            typed.sql(f"select {text} as x from typed_columns").schema  # noqa: B018 - asking for it analyses


def test_the_catalogue_is_what_spark_says(spark: SparkSession) -> None:
    kept = json.loads(CATALOGUE.read_text("utf-8"))
    assert sorted(kept) == names(spark), "run `python -m tests.spec.function_catalogue`"
    asked = ["upper", "lpad", "count", "row_number", "size", "date_add", "coalesce", "explode"]
    found = catalogue(spark, asked)
    assert json.loads(written(found)) == {name: kept[name] for name in asked}


def test_every_function_has_a_number_of_arguments() -> None:
    assert len(functions()) > 400
    assert [name for name, one in functions().items() if not one.arities] == ["cast"], "`cast` has a grammar of its own"
