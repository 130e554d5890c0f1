"""Waiting for conditions, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


PATIENCE_SECONDS = 240.0
"""A deadline is for what never comes true, not for what is slow: no wait is given up sooner, however busy the machine."""


def until(condition: Callable[[], T], seconds: float = 0.0, every: float = 0.02) -> T:
    """Return the first true result of `condition`; fail if there is none within the deadline."""
    seconds = max(seconds, PATIENCE_SECONDS)
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true within {seconds} s: {condition}")
        time.sleep(every)
