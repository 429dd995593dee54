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
    parser.add_argument("--moments", type=int, help="how many of the moments to try, chosen by the seed; all unless said")
    parser.add_argument("--project", choices=["library", "model"], default="library")
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311 - the same moments and kills every time
    with tempfile.TemporaryDirectory() as folder:
        root, truth = prepared(Path(folder), options.project)
        wrong = every_moment(Path(folder), root, truth, rng, options.moments)
        wrong += random_kills(Path(folder), root, truth, rng, options.kills)
    sys.exit(f"{wrong} reruns ended elsewhere." if wrong else 0)


def deliver_parcels(landing: Path, number: int) -> None:
    """Deliver much of the model project's files, then little: corrections, orphans that arrive, new rows."""
    landing.mkdir(exist_ok=True)
    codes = "abcdefghij"[: 9 if number == 1 else 10]
    depots = [f"{code},Depot {code},{i % 3},2024-01-0{1 + i % 9}" for i, code in enumerate(codes) if number == 1 or i >= 8]
    items = '"[{""sku"": ""SKU"", ""qty"": ""2"", ""price"": ""1.50"", ""label"": ""red""}, {""sku"": ""x"", ""qty"": ""1""}]"'
    parcels = [
        f"{i},{'abcdefghij'[i % 10]},2024-0{1 + i % 6}-11,{items.replace('SKU', 'xyz'[i % 3])}"
        for i in (range(60) if number == 1 else (3, 9, 61, 62))
    ]
    scans = [f"{i},{'abcdefghij'[i % 10]},2024-03-01" for i in (range(60) if number == 1 else (5, 61, 61))]
    for name, header, lines in (
        ("depots", "code,name,region,since", depots),
        ("parcels", "parcel,depot,sent,contents", parcels),
        ("scans", "parcel,place,seen", scans),
    ):
        (landing / f"{name}{number}.csv").write_text("\n".join([header, *lines]) + "\n")


PROJECTS = {"library": (ROOT / "tests/library", deliver), "model": (ROOT / "tests/model/project", deliver_parcels)}


def prepared(folder: Path, name: str) -> tuple[Path, dict[str, list[str]]]:
    """Return a project with one delivery taken in and one lying there, and what its tables hold in the end."""
    spark = start_session({"spark.sql.shuffle.partitions": "2"})
    root, done = folder / "project", folder / "done"
    place, deliver_to = PROJECTS[name]
    for part in ("contracts", "metadata"):
        shutil.copytree(place / part, root / part)
    deliver_to(root / "landing", 1)
    runner.run(Lakehouse(read_project(root), "local"), "all")
    deliver_to(root / "landing", 2)
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


def every_moment(folder: Path, root: Path, truth: dict[str, list[str]], rng: random.Random, most: int | None) -> int:
    """Return how many moments a rerun did not mend."""
    copy = folder / "copy"
    shutil.copytree(root, copy)
    count = moments(lambda: runner.run(Lakehouse(read_project(copy), "local"), "all"))
    wrong = 0
    chosen = sorted(rng.sample(range(count), most)) if most is not None and most < count else range(count)
    for moment in chosen:
        shutil.rmtree(copy)
        shutil.copytree(root, copy)
        try:
            with killed_at(moment, []):
                runner.run(Lakehouse(read_project(copy), "local"), "all")
        except KilledError:
            pass
        wrong += not is_right(copy, truth, f"moment {moment} of {count}")
    print(f"{len(chosen)} of {count} moments, {wrong} reruns ended elsewhere", flush=True)
    return wrong


def random_kills(folder: Path, root: Path, truth: dict[str, list[str]], rng: random.Random, kills: int) -> int:
    """Return how many killed processes a rerun did not mend."""
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
