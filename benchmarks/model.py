"""Tries many made-up histories of deliveries, corrections, changes, kills and rebuilds against tables made from scratch.

`python benchmarks/model.py [HISTORIES] [SEED]`; what a history is stands in `tests/model/test_model.py`. Ends at the first
that differs, and prints it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from framework.lakehouse.session import start_session
from tests.model.test_model import ACTIONS, FIRST, Action, check


def main() -> None:
    """Try histories and print how many there were."""
    count = int(sys.argv[1]) if sys.argv[1:] else 30
    start = int(sys.argv[2]) if sys.argv[2:] else 1
    spark = start_session({"spark.sql.shuffle.partitions": "2"})
    begun, done = time.monotonic(), [0, 0]

    @seed(start)
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(first=FIRST, actions=st.lists(ACTIONS, min_size=3, max_size=8))
    def histories(first: dict[str, Any], actions: list[Action]) -> None:
        root = Path(tempfile.mkdtemp())
        try:
            check(first, actions, root / "project", spark)
        finally:
            shutil.rmtree(root, ignore_errors=True)
        done[0] += 1
        done[1] += len(actions)
        print(f"{done[0]} histories, {done[1]} actions, {time.monotonic() - begun:.0f} s", flush=True)

    histories()


if __name__ == "__main__":
    main()
