"""How long does `validate` take: one contract, the product, 1,000 contracts cold and warm; and `dbt parse` beside it?

    python benchmarks/validate.py [--contracts 1000] [--dbt]

Each command runs as its own process, as a person would call it, with Java out of reach. `--dbt` also makes a dbt
project of as many models and times `dbt parse` on it, cold and with its partial parsing, in an environment of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
COLUMNS = 20
EXPRESSIONS = (
    "upper(text_{a})",
    "coalesce(text_{a}, text_{b}, 'none {n}')",
    "case when number_{a} > {n} then 'high' when number_{a} > 0 then 'low' else 'none' end",
    "regexp_replace(text_{a}, '[^0-9]{n}', '')",
    "concat_ws('-', text_{a}, text_{b}, '{n}')",
    "round(number_{a} * {n}.5, 2)",
    "date_add(day_{a}, {n})",
    "substring(text_{a}, 1, {n})",
    "number_{a} + number_{b} * {n}",
    "lpad(text_{a}, {n}, '0')",
)
TYPES = {"upper": "string", "coal": "string", "case": "string", "rege": "string", "conc": "string", "roun": "double", "date": "date"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contracts", type=int, default=1000)
    parser.add_argument("--dbt", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options.contracts, with_dbt=options.dbt)


def measure(folder: Path, count: int, *, with_dbt: bool) -> None:
    """Print a line for each measurement."""
    large, small = folder / "large", folder / "small"
    write_project(large, count)
    write_project(small, 1)
    product = folder / "product"
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / part, product / part)
    report("one contract, nothing kept", [validate(folder, small, "--no-cache") for _ in range(5)])
    report("the product, nothing kept", [validate(folder, product, "--no-cache") for _ in range(5)])
    report("the product, nothing changed", [validate(folder, product) for _ in range(6)][1:])
    cold = [validate(folder, large, "--no-cache") for _ in range(3)]
    report(f"{count} contracts, nothing kept", cold)
    validate(folder, large)
    report(f"{count} contracts, nothing changed", [validate(folder, large) for _ in range(5)])
    changed = []
    for number in range(5):
        path = sorted((large / "contracts").rglob("silver_*.yml"))[number * 7]
        path.write_text(path.read_text("utf-8").replace("description: Row", "description: A row"), "utf-8")
        changed.append(validate(folder, large))
    report(f"{count} contracts, one changed", changed)
    if with_dbt:
        dbt(folder, count, statistics.median(cold), statistics.median(changed))


def report(what: str, seconds: list[float]) -> None:
    """Print the median and the spread."""
    print(f"{what:42} {statistics.median(seconds):6.2f} s   ({min(seconds):.2f} to {max(seconds):.2f})", flush=True)


def validate(folder: Path, root: Path, *options: str) -> float:
    """Return how many seconds one call takes; it must find the project sound."""
    environment = {"PATH": str(folder), "LAKEPACT_CACHE": str(folder / "cache"), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "framework", "validate", "--project", str(root), *options]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode or "warning" in done.stderr:
        sys.exit(f"The project is not sound:\n{done.stderr[:2000]}")
    return seconds


def write_project(root: Path, count: int) -> None:
    """Write a project of `count` contracts: a fifth bronze, three fifths silver, a fifth gold; a third of the columns with SQL."""
    shutil.copytree(ROOT / "tests/bad_contracts/project/metadata", root / "metadata")
    rng = random.Random(1)  # noqa: S311 - invented contracts
    bronze = max(1, count // 5)
    silver = 0 if count == 1 else count * 3 // 5
    for number in range(count):
        if number < bronze:
            write(root, "bronze", number, bronze_contract(number))
        elif number < bronze + silver:
            write(root, "silver", number, silver_contract(number, rng.randrange(bronze), rng))
        else:
            write(root, "gold", number, gold_contract(number, bronze + rng.randrange(silver), rng))


def write(root: Path, layer: str, number: int, text: str) -> None:
    """Write one contract."""
    folder = root / "contracts" / layer
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{layer}_{number:04}.yml").write_text(text, "utf-8")


def names() -> list[tuple[str, str]]:
    """Return the columns of a delivered file and the types they get: a key, texts, numbers, days."""
    found = [("id", "bigint")]
    found += (
        [(f"text_{i}", "string") for i in range(8)]
        + [(f"number_{i}", "double") for i in range(6)]
        + [(f"day_{i}", "date") for i in range(5)]
    )
    return found[:COLUMNS]


def bronze_contract(number: int) -> str:
    """Return a contract of delivered files."""
    columns = "\n".join(f"  - {{name: {name}, description: Column {name} of delivery {number}.}}" for name, _ in names())
    files = f'files: {{pattern: ["delivery_{number:04}.csv"]}}'
    return f"table: bronze_{number:04}\nlayer: bronze\ndescription: Row {number} as delivered.\n{files}\ncolumns:\n{columns}\n"


def silver_contract(number: int, source: int, rng: random.Random) -> str:
    """Return a contract of typed rows: a third of its columns have expressions, all of them different."""
    lines = ["  - {name: id, type: bigint, required: true, description: The number.}"]
    for i, (name, type_) in enumerate(names()[1:], 1):
        extra = ", formats: [iso8601]" if type_ == "date" else ""
        if type_ == "string" and i % 2 == 0:
            extra = f", checks: [{{matches: '^[A-Z0-9]{{0,{rng.randrange(9, 99)}}}'}}]"
        lines.append(f"  - {{name: {name}, type: {type_}{extra}, description: Column {i}.}}")
    for i in range(COLUMNS // 3):
        sql = rng.choice(EXPRESSIONS).format(a=rng.randrange(5), b=rng.randrange(5), n=rng.randrange(2, 9999))
        type_ = TYPES.get(sql[:4], "double" if sql.startswith("num") else "string")
        lines[-1 - i] = f'  - {{name: made_{i}, type: {type_}, expr: "{sql}", description: Made {i}.}}'
    lines = order(lines)
    columns = "\n".join(lines)
    return (
        f"table: silver_{number:04}\nlayer: silver\ndescription: Row {number}, typed.\nsource: bronze_{source:04}\ncolumns:\n{columns}\n"
        f"dedupe: {{key: [id]}}\nquality:\n  - row_count > 0\n  - duplicate_count(id) = 0\ngrants: {{readers: [select]}}\n"
    )


def order(lines: list[str]) -> list[str]:
    """Return plain columns first: an expression sees those declared above it."""
    return [line for line in lines if "expr:" not in line] + [line for line in lines if "expr:" in line]


def gold_contract(number: int, source: int, rng: random.Random) -> str:
    """Return a contract of groups."""
    measures = [
        f'  - {{name: m_{i}, type: double, measure: "sum(number_{i % 5} * {rng.randrange(2, 9999)})", description: Sum {i}.}}'
        for i in range(COLUMNS // 3)
    ]
    measures += [
        f"  - {{name: n_{i}, type: bigint, measure: count(*), description: Count {i}.}}" for i in range(COLUMNS - COLUMNS // 3 - 1)
    ]
    columns = "\n".join(["  - {name: id, type: bigint, description: The number.}", *measures])
    head = f"table: gold_{number:04}\nlayer: gold\ndescription: Row {number}, summed.\nsource: silver_{source:04}\ngroup_by: [id]"
    return f"{head}\ncolumns:\n{columns}\ngrants: {{engineers: [select]}}\n"


def dbt(folder: Path, count: int, cold: float, changed: float) -> None:
    """Time `dbt parse` on as many models, and print the ratios."""
    home = folder / "dbt_environment"
    venv.create(home, with_pip=True)
    subprocess.run([home / "bin/python", "-m", "pip", "install", "--quiet", "dbt-core<1.12", "dbt-duckdb"], check=True)
    root = folder / "dbt"
    (root / "models").mkdir(parents=True)
    (root / "dbt_project.yml").write_text("name: big\nversion: '1.0'\nprofile: big\nmodel-paths: [models]\n")
    (root / "profiles.yml").write_text("big:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: ':memory:'}\n")
    rng = random.Random(1)  # noqa: S311 - invented models
    for number in range(count):
        sql = [rng.choice(EXPRESSIONS).format(a=1, b=2, n=rng.randrange(9999)) + f" as made_{i}" for i in range(COLUMNS // 3)]
        plain = [name for name, _ in names()][: COLUMNS - COLUMNS // 3]
        source = f"{{{{ ref('model_{rng.randrange(number):04}') }}}}" if number else "(select 1 as id)"
        (root / f"models/model_{number:04}.sql").write_text(f"select {', '.join([*plain, *sql])} from {source}\n")
        columns = "\n".join(f"      - {{name: {name}, description: Column {name}.}}" for name in plain)
        text = f"version: 2\nmodels:\n  - name: model_{number:04}\n    description: Model {number}.\n    columns:\n{columns}\n"
        (root / f"models/model_{number:04}.yml").write_text(text)
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}

    def parse(*options: str) -> float:
        start = time.perf_counter()
        command = [home / "bin/dbt", "parse", "--project-dir", root, "--profiles-dir", root, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            sys.exit(f"dbt parse failed:\n{done.stdout[-2000:]}")
        return time.perf_counter() - start

    parse()
    full = [parse("--no-partial-parse") for _ in range(3)]
    report(f"dbt parse, {count} models, nothing kept", full)
    partial = []
    for number in range(5):
        path = root / f"models/model_{number * 7:04}.sql"
        path.write_text(path.read_text() + f"-- {number}\n")
        partial.append(parse())
    report(f"dbt parse, {count} models, one changed", partial)
    ratios = statistics.median(full) / cold, statistics.median(partial) / changed
    print(f"dbt parse takes {ratios[0]:.1f} times as long cold, {ratios[1]:.1f} times after a change.")


if __name__ == "__main__":
    main()
