"""SQL that Spark takes is taken; nothing is said of it that is not so."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

import pytest

from framework.spec.findings import validated
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

QUERIES: dict[str, tuple[str, dict[str, str]]] = {
    "window": (
        "select id, row_number() over (partition by day order by amount desc) as rn from silver_good",
        {"id": "bigint", "rn": "int"},
    ),
    "qualify": (
        "select id, day from silver_good qualify row_number() over (partition by day order by id) = 1",
        {"id": "bigint", "day": "date"},
    ),
    "lateral": ("select id, t.k as k from silver_good lateral view explode(tags) e as t", {"id": "bigint", "k": "string"}),
    "explode": ("select id, explode(tags) as t from silver_good", {"id": "bigint", "t": "struct<k: string, v: string>"}),
    "star": ("select * except (mail) from silver_good", {"id": "bigint", "day": "date"}),
    "star2": ("select g.*, 1 as one from silver_good g", {"id": "bigint", "one": "int"}),
    "union": ("select id, day from silver_good union all select id, day from silver_good", {"id": "bigint", "day": "date"}),
    "sub": (
        "select id, (select max(n) from silver_good) as m from silver_good where id in (select id from silver_good)",
        {"id": "bigint", "m": "int"},
    ),
    "corr": ("select g.id from silver_good g where exists (select 1 from silver_good h where h.id = g.id and h.n > 1)", {"id": "bigint"}),
    "groupall": ("select day, count(*) as c from silver_good group by all", {"day": "date", "c": "bigint"}),
    "rollup": (
        "select day, word, count(*) as c from silver_good group by rollup(day, word)",
        {"day": "date", "word": "string", "c": "bigint"},
    ),
    "cube": ("select day, count(*) as c from silver_good group by day with cube", {"day": "date", "c": "bigint"}),
    "gsets": (
        "select day, word, count(*) c from silver_good group by grouping sets ((day), (word))",
        {"day": "date", "word": "string", "c": "bigint"},
    ),
    "ord": ("select day, count(*) as c from silver_good group by 1 order by 2 desc limit 10", {"day": "date", "c": "bigint"}),
    "alias": (
        "select date_trunc('MONTH', day) as m, sum(amount) as s from silver_good group by m having s > 10",
        {"m": "timestamp", "s": "decimal(22,2)"},
    ),
    "lca": ("select n + 1 as a, a * 2 as b from silver_good", {"a": "int", "b": "int"}),
    "values": ("select * from values (1, 'a'), (2, 'b') as t(x, y)", {"x": "int", "y": "string"}),
    "recursive": ("with recursive r as (select 1 as n union all select n + 1 from r where n < 5) select n from r", {"n": "int"}),
    "pivot": ("select * from (select day, word, n from silver_good) pivot (sum(n) for word in ('a', 'b'))", {"day": "date", "a": "bigint"}),
    "using": ("select id, a.n, b.word from silver_good a join silver_good b using (id)", {"id": "bigint", "n": "int", "word": "string"}),
    "natural": ("select a.id from silver_good a natural join gold_good b", {"id": "bigint"}),
    "cross": ("select a.id from silver_good a cross join gold_good b", {"id": "bigint"}),
    "semi": ("select a.id from silver_good a left semi join gold_good b on a.day = b.day", {"id": "bigint"}),
    "case": ("select id, case word when 'a' then 1 when 'b' then 2 else 0 end as w from silver_good", {"id": "bigint", "w": "int"}),
    "filter": (
        "select day, count(*) filter (where n > 1) as c, count_if(n > 1) as d from silver_good group by day",
        {"day": "date", "c": "bigint", "d": "bigint"},
    ),
    "nested": (
        "select day, c from (select day, count(*) as c from silver_good group by day) x where c > 1",
        {"day": "date", "c": "bigint"},
    ),
    "cte2": (
        "with a as (select id, day from silver_good), b as (select day, count(*) from a group by day) select id from a join b using (day)",
        {"id": "bigint"},
    ),
    "distinct": ("select distinct day from silver_good", {"day": "date"}),
    "interval": ("select id from silver_good where day > date'2024-01-01' - interval 7 days", {"id": "bigint"}),
    "winsum": (
        "select day, sum(sum(amount)) over (order by day) as running from silver_good group by day",
        {"day": "date", "running": "decimal(32,2)"},
    ),
    "hint": ("select /*+ broadcast(b) */ a.id from silver_good a join gold_good b on a.day = b.day", {"id": "bigint"}),
    "upper": ("SELECT ID, UPPER(WORD) AS W FROM silver_good", {"id": "bigint", "W": "string"}),
    "ticks": ("select `id`, `word` as `a word` from `silver_good`", {"id": "bigint", "a word": "string"}),
    "struct": (
        "select id, struct(n, word) as s, named_struct('a', n).a as q from silver_good",
        {"id": "bigint", "s": "struct<n: int, word: string>", "q": "int"},
    ),
    "maxby": (
        "select day, max_by(word, n) as w, array_sort(collect_set(word)) as ws from silver_good group by day",
        {"day": "date", "w": "string", "ws": "array<string>"},
    ),
    "inline": ("select id, inline(tags) from silver_good", {"id": "bigint", "k": "string", "v": "string"}),
    "tvf": ("select id as x from range(10)", {"x": "bigint"}),
    "stack": ("select stack(2, 1, 2) as (x)", {"x": "int"}),
    "pipe": ("from silver_good |> where n > 1 |> select id", {"id": "bigint"}),
    "unpivot": ("select * from (select id, n, n as m from silver_good) unpivot (v for name in (n, m))", {"id": "bigint", "v": "int"}),
    "tsl": ("select id from silver_good timestamp as of '2024-01-01'", {"id": "bigint"}),
}
FAULTY = {
    "rollup": ("select dya, count(*) as c from silver_good group by rollup(dya)", "unknown-column"),
    "window": ("select id, sum(amuont) over (partition by day) as s from silver_good", "unknown-column"),
    "subquery": ("select id from silver_good where id in (select idd from silver_good)", "unknown-column"),
    "correlated": ("select g.id from silver_good g where exists (select 1 from silver_good h where h.id = g.idd)", "unknown-column"),
    "order": ("select id from silver_good order by idd", "unknown-column"),
    "having": ("select day, count(*) as c from silver_good group by day having d > 1", "unknown-column"),
    "union": ("select id from silver_good union all select day from silver_good", "type-mismatch"),
    "sides": ("select id from silver_good union all select id, day from silver_good", "type-mismatch"),
    "using": ("select a.id from silver_good a join gold_good b using (id)", "unknown-column"),
    "no condition": ("select a.id from silver_good a inner join gold_good b", "ambiguous-join"),
    "schema": ("select id from other.silver_good", "unknown-table"),
    "twice": ("select id, day as id from silver_good", "duplicate-column"),
    "grouped": ("select id, day from silver_good group by day", "not-grouped"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("queries") / "project"
    shutil.copytree(ROOT / "tests/bad_contracts/project", root)
    return root


def codes(root: Path, query: str, columns: dict[str, str]) -> set[str]:
    """Return the codes of what is wrong in a table made by a query."""
    path = root / "contracts/query.yml"
    declared = "".join(f"  - {{name: {name!r}, type: {type_!r}}}\n" for name, type_ in columns.items())
    head = "table: gold_query\nlayer: gold\ndescription: A query.\nsql: |\n"
    path.write_text(f"{head}{textwrap.indent(query, '  ')}\ncolumns:\n{declared}", "utf-8")
    return {problem.code for problem in validated(root, use_cache=False).problems if problem.where.path == path}


@pytest.mark.parametrize("name", QUERIES)
def test_a_sound_query_is_taken(name: str, project: Path) -> None:
    assert codes(project, *QUERIES[name]) == set()


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_found_wherever_it_stands(name: str, project: Path) -> None:
    query, code = FAULTY[name]
    assert code in codes(project, query, {"id": "bigint"})
