"""The lab of the cluster and a small disk, for the tests of this folder."""

from tests.faults.disk import disk
from tests.slurm.lab import far

__all__ = ["disk", "far"]
