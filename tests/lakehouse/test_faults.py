"""What passes by itself is tried again, what does not is told at once."""

from __future__ import annotations

import pytest

from framework.lakehouse.faults import ATTEMPTS, is_transient, tried


class ConcurrentAppendException(Exception):  # noqa: N818 - Delta's own name
    """Two writers at once."""


PASSING = [
    ConcurrentAppendException("files were added by a concurrent update"),
    RuntimeError("[DELTA_CONCURRENT_WRITE] a concurrent transaction has written new data"),
    TimeoutError("timed out"),
    ConnectionResetError("Connection reset by peer"),
    OSError("503 Service Unavailable"),
    RuntimeError("com.amazonaws.SlowDown: please reduce your request rate"),
]
LASTING = [
    ValueError("no such column"),
    RuntimeError("[DIVIDE_BY_ZERO] division by zero"),
    OSError("No space left on device"),
    KeyError("x"),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_a_passing_fault_is_tried_again(error: Exception) -> None:
    calls: list[int] = []

    def work() -> str:
        calls.append(1)
        if len(calls) < ATTEMPTS:
            raise error
        return "done"

    assert tried(work, seconds=0) == "done"
    assert len(calls) == ATTEMPTS


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_a_lasting_fault_is_told_at_once(error: Exception) -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        tried(work, seconds=0)
    assert len(calls) == 1


def test_a_fault_that_does_not_pass_is_told_in_the_end() -> None:
    def work() -> None:
        raise TimeoutError("timed out")

    with pytest.raises(TimeoutError, match="timed out"):
        tried(work, seconds=0)


def test_the_cause_of_a_fault_is_looked_at_too() -> None:
    error = RuntimeError("could not write")
    error.__cause__ = ConcurrentAppendException("files were added")
    assert is_transient(error)
