"""Holds the engine against the same product written by hand (`by_hand.py`), in one run.

`python benchmarks/compare.py [ORDERS]` makes a first delivery and one of a hundredth of it. The script and the engine
each make all tables from the first; then both meet the small one, which the script, having no memory, pays for in full;
then the engine runs with nothing new. Both must end with the same gold.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.full_run import DEFAULTS, commits, counters  # noqa: E402 - the project's folder must be known first
from samples.generate import generate, generate_small  # noqa: E402

GOLD = ("gold_sales_by_category", "gold_sales_by_product", "gold_marketing_customers", "gold_customer_categories")


@dataclass(frozen=True)
class Took:
    """What one run took."""

    wall: float
    jobs: int
    tasks: int
    cpu: float
    shuffled: int
    commits: int


def main() -> None:
    """Run both and print a line for each run, and the ratios."""
    orders = int(sys.argv[1]) if sys.argv[1:] else 500_000
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), orders)


def compare(folder: Path, orders: int) -> None:
    """Print the figures of one size."""
    landing = folder / "landing"
    landing.mkdir()
    for path in generate(folder / "deliveries", orders, seed=1)[0].iterdir():
        shutil.copy2(path, landing)
    small = generate_small(folder / "small", orders, seed=1)
    print("run | wall s | jobs | tasks | cpu s | shuffled rows | table commits")
    engine, script = folder / "engine", folder / "script"
    by_hand = told("by hand, full", by_script(folder, landing, script))
    full = told("engine, full", by_engine(folder, landing, engine))
    bare = told("engine, full, no checks and no tables of runs", by_engine(folder, landing, folder / "bare", quiet_project(folder)))
    for path in small.iterdir():
        shutil.copy2(path, landing)
    told("by hand, 1 % more", by_script(folder, landing, script))
    more = told("engine, 1 % more", by_engine(folder, landing, engine))
    none = told("engine, nothing new", by_engine(folder, landing, engine))
    for name, took, most in (("full", full, 1.05), ("1 % more", more, 0.25), ("nothing new", none, 0.1)):
        print(f"{name} / by hand, full: wall {took.wall / by_hand.wall:.2f}, cpu {took.cpu / by_hand.cpu:.2f} (at most {most})")
    print(f"full / without checks and tables of runs: wall {full.wall / bare.wall:.2f}, cpu {full.cpu / bare.cpu:.2f} (at most 1.1)")
    print(json.dumps(seconds(engine)))
    same(script, engine)


def told(name: str, took: Took) -> Took:
    """Print a run's figures."""
    print(f"{name} | {took.wall:.1f} | {took.jobs} | {took.tasks} | {took.cpu:.0f} | {took.shuffled:,} | {took.commits}", flush=True)
    return took


def by_script(folder: Path, landing: Path, warehouse: Path) -> Took:
    """Run the script."""
    return measured(folder, warehouse, [str(ROOT / "benchmarks/by_hand.py"), str(landing), str(warehouse)])


def by_engine(folder: Path, landing: Path, warehouse: Path, project: Path = ROOT) -> Took:
    """Run the engine."""
    places = ["--project", str(project), "--landing", str(landing), "--warehouse", str(warehouse)]
    return measured(folder, warehouse, ["-m", "framework", "run", "all", *places])


def quiet_project(folder: Path) -> Path:
    """Return the product without checks on whole tables and without tables of runs."""
    root = folder / "quiet"
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / part, root / part)
    for path in (root / "contracts").rglob("*.yml"):
        path.write_text(re.sub(r"^quality:.*\n(?:[ \t].*\n)*", "", path.read_text(), flags=re.MULTILINE))
    environments = root / "metadata/environments.yml"
    environments.write_text(environments.read_text().replace("local:\n", "local:\n  run_tables: false\n"))
    return root


def measured(folder: Path, warehouse: Path, arguments: list[str]) -> Took:
    """Run a command in a process of its own, with Spark's event log on."""
    conf, log = folder / "conf", Path(tempfile.mkdtemp(dir=folder))
    conf.mkdir(exist_ok=True)
    (conf / "spark-defaults.conf").write_text(DEFAULTS.format(folder=log))
    before, started = commits(warehouse), time.monotonic()
    environment = os.environ | {"SPARK_CONF_DIR": str(conf), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - started
    jobs, tasks, cpu, shuffled, _ = counters(log)
    return Took(wall, jobs, tasks, cpu, shuffled, commits(warehouse) - before)


def seconds(warehouse: Path) -> dict[str, list[float]]:
    """Return the seconds of each table in each of the engine's runs."""
    runs = [json.loads(path.read_text()) for path in sorted((warehouse / "_lakepact/runs").glob("*.json"))]
    return {
        table["table"]: [next(one["seconds"] for one in run["tables"] if one["table"] == table["table"]) for run in runs]
        for table in runs[0]["tables"]
    }


def same(script: Path, engine: Path) -> None:
    """Say for each gold table whether both hold the same rows."""
    from framework.lakehouse.session import start_session  # noqa: PLC0415 - Spark starts last

    spark = start_session({})
    for table in GOLD:
        one, other = (spark.read.format("delta").load(str(folder / table)) for folder in (script, engine))
        names = sorted(other.columns)
        differ = one.select(names).exceptAll(other.select(names)).count() + other.select(names).exceptAll(one.select(names)).count()
        print(f"{table}: {other.count():,} rows, {differ} differ")


if __name__ == "__main__":
    main()
