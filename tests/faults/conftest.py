"""The small disk, for every fault that needs one."""

from tests.faults.disk import disk

__all__ = ["disk"]
