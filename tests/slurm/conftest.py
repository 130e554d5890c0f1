"""The lab of the cluster, for the tests of this folder."""

from tests.slurm.lab import far

__all__ = ["far"]
