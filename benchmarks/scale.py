"""How cost grows with files, tables and loads; each line is one run of the command, or of the engine in one session.

`python benchmarks/scale.py [files | tables | loads] [MOST]`: files in one landing folder, tables in one layer, and small
loads one after another. Prints seconds, so that the reader sees whether they grow with the number.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

METADATA = {
    "environments.yml": "local: {kind: folders, warehouse: warehouse, landing: landing}\n",
    "layers.yml": "bronze: {description: As it comes., defaults: {owner: us}}\nsilver: {description: Typed., defaults: {owner: us}}\n",
    "principals.yml": "us: {description: All of us.}\n",
    "pii.yml": "{}\n",
}
BRONZE = """table: bronze_readings
layer: bronze
description: One reading.
files: {pattern: ["readings*.csv"]}
columns: [{name: sensor}, {name: taken}, {name: value}]
"""
SILVER = """table: silver_readings_NUMBER
layer: silver
description: One row per reading, NUMBER.
source: bronze_readings
columns:
  - {name: sensor, type: bigint, required: true}
  - {name: taken, type: bigint, required: true}
  - {name: value, type: "decimal(9,2)", checks: [{at_least: 0, otherwise: warn}]}
dedupe: {key: [sensor, taken], latest_by: [_load_timestamp desc], tie_break: [_source_file desc, _row_number desc]}
"""


def project(folder: Path, tables: int) -> Path:
    """Write a project with one table of files and as many silver tables, and return its folder."""
    for name, text in METADATA.items():
        (folder / "metadata").mkdir(parents=True, exist_ok=True)
        (folder / "metadata" / name).write_text(text)
    (folder / "contracts").mkdir()
    (folder / "landing").mkdir()
    (folder / "contracts/bronze.yml").write_text(BRONZE)
    for number in range(tables):
        (folder / f"contracts/silver_{number}.yml").write_text(SILVER.replace("NUMBER", f"{number:03d}"))
    return folder


def deliver(folder: Path, number: int, rows: int = 20) -> None:
    """Write one small file."""
    lines = "".join(f"{row},{number},{row}.5\n" for row in range(rows))
    (folder / f"landing/readings_{number:06d}.csv").write_text(f"sensor,taken,value\n{lines}")


def timed(folder: Path, *arguments: str) -> float:
    """Return the seconds that a command takes."""
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "framework", *arguments, "--project", str(folder)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - started


def files(folder: Path, most: int) -> None:
    """Time one load of many files."""
    print("files | plan s | run s | nothing new s")
    for count in (most // 100, most // 10, most):
        place = project(folder / str(count), 1)
        for number in range(count):
            deliver(place, number)
        print(f"{count:,} | {timed(place, 'plan'):.1f} | {timed(place, 'run', 'all'):.1f} | {timed(place, 'run', 'all'):.1f}", flush=True)


def tables(folder: Path, most: int) -> None:
    """Time many tables in one layer."""
    print("tables | plan s | run s | one small load more s | nothing new s")
    for count in (most // 10, most // 3, most):
        place = project(folder / str(count), count)
        deliver(place, 1)
        figures = [timed(place, "plan"), timed(place, "run", "all")]
        deliver(place, 2)
        figures += [timed(place, "run", "all"), timed(place, "run", "all")]
        print(f"{count} | " + " | ".join(f"{figure:.1f}" for figure in figures), flush=True)


def loads(folder: Path, most: int) -> None:
    """Time small loads one after another, in one session."""
    from framework import runner  # noqa: PLC0415 - the others start no Spark of their own
    from framework.lakehouse.lakehouse import Lakehouse  # noqa: PLC0415
    from framework.lakehouse.session import start_session  # noqa: PLC0415
    from framework.spec.project import read_project  # noqa: PLC0415

    place = project(folder / "loads", 1)
    spark = start_session({}, input_bytes=1)
    lakehouse = Lakehouse(read_project(place), "local")
    print("loads | s per load, mean of the last tenth | files of the bronze table")
    took: list[float] = []
    tenth = max(1, most // 10)
    for number in range(most):
        deliver(place, number)
        started = time.monotonic()
        if not runner.run(lakehouse, "all").is_well:
            raise SystemExit(1)
        took.append(time.monotonic() - started)
        if (number + 1) % tenth == 0:
            count = len(spark.read.format("delta").load(str(place / "warehouse/bronze_readings")).inputFiles())
            print(f"{number + 1} | {sum(took[-tenth:]) / tenth:.2f} | {count}", flush=True)


def main() -> None:
    """Measure what is asked for."""
    kinds = {"files": (files, 10_000), "tables": (tables, 300), "loads": (loads, 1_000)}
    chosen = sys.argv[1:2] or list(kinds)
    for name in chosen:
        measure, most = kinds[name]
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), int(sys.argv[2]) if sys.argv[2:] else most)


if __name__ == "__main__":
    main()
