"""The lab: a folder with one experiment, for every test that needs real processes."""

from tests.supervisor.lab import lab

__all__ = ["lab"]
