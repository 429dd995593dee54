"""Who may write to a warehouse now? One run at a time.

The lock is the operating system's: it ends with the process that holds it, however that ends, so nobody has to take it
away by hand. Where a file system has no such locks, a marker with process and host stands in for it.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from framework.spec.problem import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(folder: Path, run_id: str, started: str) -> Iterator[None]:
    """Hold the lock of a state folder.

    Raises:
        CannotRunError: another run holds it; says who, and since when.
    """
    lock, marker = FileLock(folder / "run.lock", blocking=False, thread_local=False), folder / "holder.json"
    try:
        lock.acquire()
    except Timeout as error:
        raise CannotRunError(
            f"Another run is at work in {folder.parent}{_said(marker)}.",
            "wait until it has ended; the lock ends with it, whether it finishes or is killed.",
        ) from error
    try:
        marker.write_text(json.dumps({"run": run_id, "process": os.getpid(), "host": socket.gethostname(), "since": started}), "utf-8")
        yield
    finally:
        with suppress(OSError):
            marker.unlink()
        lock.release()


def holder(folder: Path) -> str:
    """Return which run is at work in a state folder, and since when; nothing where there is none."""
    marker = folder / "holder.json"
    if not marker.exists():
        return ""
    lock = FileLock(folder / "run.lock", blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return _said(marker).removeprefix(": ")
    lock.release()  # who wrote the marker was killed
    return ""


def _said(marker: Path) -> str:
    try:
        found = json.loads(marker.read_text("utf-8"))
        return f": run {found['run']}, process {found['process']} on {found['host']}, since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # it has the lock, and has not yet said who it is
