"""Which faults pass by themselves, so that trying again is right?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

ATTEMPTS = 4

# Delta's conflicts with another writer, and what storage says when it is busy or was cut off:
# https://docs.delta.io/latest/concurrency-control.html#conflict-exceptions
_TRANSIENT = re.compile(
    r"Concurrent(Append|DeleteRead|DeleteDelete|Write|Transaction|ModificationException)|MetadataChangedException|ProtocolChangedException"
    r"|DELTA_CONCURRENT_|TooManyRequests|Too Many Requests|SlowDown|throttl|Service Unavailable|\b50[034]\b"
    r"|Connection reset|Connection timed out|SocketTimeout|Read timed out|Broken pipe|temporarily unavailable",
    re.IGNORECASE,
)


def is_transient(error: BaseException) -> bool:
    """Tell whether a fault may be gone when the same thing is tried again.

    >>> is_transient(RuntimeError("[DELTA_CONCURRENT_APPEND] files were added")), is_transient(ValueError("no such column"))
    (True, False)
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TimeoutError | InterruptedError | ConnectionError) or _TRANSIENT.search(f"{type(seen).__name__}: {seen}"):
            return True
        seen = seen.__cause__
    return False


def tried(work: Callable[[], Result], *, seconds: float = 0.5) -> Result:
    """Return what `work` returns; try again after a while where a fault may pass, at most three times."""
    attempts = Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=seconds, max=60 * seconds) + wait_random(0, seconds),
        reraise=True,
    )
    return attempts(work)
