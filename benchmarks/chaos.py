"""Kills runs, at every moment at which they write something and at random ones, and compares the rerun with the truth.

    python benchmarks/chaos.py [--kills 20] [--seed 1]

First every moment of a run is tried in one process, by a fault that nothing catches (see tests/test_chaos.py). Then
processes that run the command are really killed, with SIGKILL, at random times; some are killed again while they mend.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from framework import runner  # noqa: E402 - the project is found first
from framework.lakehouse.lakehouse import Lakehouse  # noqa: E402
from framework.lakehouse.session import start_session  # noqa: E402
from framework.spec.project import read_project  # noqa: E402
from tests.test_chaos import KilledError, conserved, deliver, held, killed_at, moments  # noqa: E402


def main() -> None:
    """Kill, run again, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, truth = prepared(Path(folder))
        wrong = every_moment(Path(folder), root, truth) + random_kills(Path(folder), root, truth, options.kills, options.seed)
    sys.exit(f"{wrong} reruns ended elsewhere." if wrong else 0)


def prepared(folder: Path) -> tuple[Path, dict[str, list[str]]]:
    """Return a library with one delivery taken in and one lying there, and what its tables hold in the end."""
    spark = start_session({"spark.sql.shuffle.partitions": "2"})
    root, done = folder / "library", folder / "done"
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / "tests/library" / part, root / part)
    deliver(root / "landing", 1)
    runner.run(Lakehouse(read_project(root), "local"), "all")
    deliver(root / "landing", 2)
    shutil.copytree(root, done)
    runner.run(Lakehouse(read_project(done), "local"), "all")
    return root, held(spark, done)


def is_right(root: Path, truth: dict[str, list[str]], told: str) -> bool:
    """Run once more, and tell whether every table is as it should be."""
    report = runner.run(Lakehouse(read_project(root), "local"), "all")
    found = held(start_session({}), root)
    if report.is_well and not list(conserved(report)) and found == truth:
        return True
    bad = [name for name in truth if found.get(name) != truth[name]]
    print(f"{told}: {bad or [(one.table, one.reason) for one in report.tables if one.outcome == 'failed']}", flush=True)
    return False


def every_moment(folder: Path, root: Path, truth: dict[str, list[str]]) -> int:
    """Return how many moments a rerun did not mend."""
    copy = folder / "copy"
    shutil.copytree(root, copy)
    count = moments(lambda: runner.run(Lakehouse(read_project(copy), "local"), "all"))
    wrong = 0
    for moment in range(count):
        shutil.rmtree(copy)
        shutil.copytree(root, copy)
        try:
            with killed_at(moment, []):
                runner.run(Lakehouse(read_project(copy), "local"), "all")
        except KilledError:
            pass
        wrong += not is_right(copy, truth, f"moment {moment} of {count}")
    print(f"{count} moments, {wrong} reruns ended elsewhere", flush=True)
    return wrong


def random_kills(folder: Path, root: Path, truth: dict[str, list[str]], kills: int, seed: int) -> int:
    """Return how many killed processes a rerun did not mend."""
    rng = random.Random(seed)  # noqa: S311 - the same kills every time
    wrong = killed = 0
    seconds = 12.0
    for number in range(kills):
        copy = folder / f"killed_{number}"
        shutil.copytree(root, copy)
        for _ in range(rng.choice([1, 1, 2])):
            start = time.monotonic()
            done = killed_after(copy, rng.uniform(3.0, seconds))
            killed += not done
            if done:
                seconds = 0.9 * seconds + 0.1 * (time.monotonic() - start)
        wrong += not is_right(copy, truth, f"kill {number}")
        shutil.rmtree(copy)
    print(f"{kills} runs, {killed} processes killed while they ran, {wrong} reruns ended elsewhere", flush=True)
    return wrong


def killed_after(root: Path, seconds: float) -> bool:
    """Run the command in a process group of its own and kill it; tell whether it had ended before."""
    command = [sys.executable, "-m", "framework", "run", "all", "--project", str(root), "--format", "json"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return False
        return True


if __name__ == "__main__":
    main()
