"""Measures full runs of the first product: wall time and Spark's own counters, from its event log.

`python benchmarks/full_run.py [ORDERS …]`: for each size a first run on sample deliveries in a folder of its own, the
second delivery, and a run with nothing new.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from samples.generate import generate  # noqa: E402 - the project's folder must be known first

SIZES = (100_000, 500_000)
DEFAULTS = """spark.eventLog.enabled true
spark.eventLog.dir file://{folder}
spark.eventLog.compress false
spark.eventLog.rolling.enabled false
"""


def main() -> None:
    """Run all sizes and print a line for each run."""
    sizes = [int(argument) for argument in sys.argv[1:]] or SIZES
    heads = ("orders", "run", "wall s", "jobs", "tasks", "cpu s", "shuffled rows", "MB to driver", "table commits")
    print(" | ".join(heads))
    for orders in sizes:
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name), orders)


def measure(folder: Path, orders: int) -> None:
    """Print the figures of one size."""
    landing, warehouse = folder / "landing", folder / "warehouse"
    landing.mkdir()
    for number, delivery in enumerate(generate(folder / "deliveries", orders, seed=1), 1):
        for path in delivery.iterdir():
            shutil.copy2(path, landing)
        show(orders, f"delivery {number}", folder, landing, warehouse)
    show(orders, "nothing new", folder, landing, warehouse)


def show(orders: int, name: str, folder: Path, landing: Path, warehouse: Path) -> None:
    """Run the command once and print what it took."""
    conf, log = folder / "conf", folder / f"log {name}"
    conf.mkdir(exist_ok=True)
    log.mkdir()
    (conf / "spark-defaults.conf").write_text(DEFAULTS.format(folder=str(log).replace(" ", "%20")))
    before = commits(warehouse)
    started = time.monotonic()
    command = [sys.executable, "-m", "framework", "run", "all", "--landing", str(landing), "--warehouse", str(warehouse)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"SPARK_CONF_DIR": str(conf)}, check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - started
    jobs, tasks, cpu, shuffled, driver = counters(log)
    figures = (f"{wall:.1f}", jobs, tasks, f"{cpu:.0f}", f"{shuffled:,}", f"{driver / 1e6:.1f}", commits(warehouse) - before)
    print(" | ".join(str(figure) for figure in (f"{orders:,}", name, *figures)), flush=True)


def counters(log: Path) -> tuple[int, int, float, int, int]:
    """Return jobs, tasks, seconds of executor CPU, rows shuffled, and bytes of results sent to the driver."""
    jobs = tasks = shuffled = driver = 0
    cpu = 0.0
    for path in log.iterdir():
        with path.open(encoding="utf-8") as events:
            for line in events:
                event = json.loads(line)
                jobs += event["Event"] == "SparkListenerJobStart"
                if event["Event"] == "SparkListenerTaskEnd" and event.get("Task Metrics"):
                    metrics = event["Task Metrics"]
                    tasks += 1
                    cpu += metrics["Executor CPU Time"] / 1e9
                    shuffled += metrics["Shuffle Write Metrics"]["Shuffle Records Written"]
                    driver += metrics["Result Size"]
    return jobs, tasks, cpu, shuffled, driver


def commits(warehouse: Path) -> int:
    """Return the number of Delta commits in a warehouse."""
    return len(list(warehouse.glob("*/_delta_log/*.json")))


if __name__ == "__main__":
    main()
