"""One run at a time: who comes second is told who is at work, and a dead holder is in nobody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from framework.lakehouse.lock import locked
from framework.spec.problem import CannotRunError

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, time
from pathlib import Path
from framework.lakehouse.lock import locked
with locked(Path(sys.argv[1]), "run-1", "2024-01-01T00:00:00"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_run_is_told_who_holds_it_and_since_when(tmp_path: Path) -> None:
    with locked(tmp_path, "run-1", "2024-01-01T00:00:00"):
        with pytest.raises(CannotRunError) as caught, locked(tmp_path, "run-2", "2024-01-01T00:00:01"):
            pass
        assert f"run run-1, process {os.getpid()} on " in str(caught.value)
        assert "since 2024-01-01T00:00:00" in str(caught.value)
    with locked(tmp_path, "run-3", "2024-01-01T00:00:02"):
        pass


def test_a_run_that_raises_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="boom"), locked(tmp_path, "run-1", ""):
        raise ValueError("boom")
    with locked(tmp_path, "run-2", ""):
        pass


def test_a_killed_holder_is_in_nobodys_way(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:  # noqa: S603
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CannotRunError, match=f"process {holder.pid} on"), locked(tmp_path, "run-2", ""):
            pass
        holder.send_signal(signal.SIGKILL)
    with locked(tmp_path, "run-2", ""):
        assert '"run-2"' in (tmp_path / "holder.json").read_text()
