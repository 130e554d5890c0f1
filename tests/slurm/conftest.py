"""The lab of the cluster and a small disk, for the tests of this folder."""

import pytest

from tests.faults.disk import disk
from tests.slurm.lab import far

__all__ = ["disk", "far"]


@pytest.fixture(autouse=True)
def _by_the_flag_only(request, campaign) -> None:
    """Skip what takes a cluster's minutes, or hung on a machine that was slow, unless the campaign is asked for."""
    if not campaign and "far" in request.fixturenames:
        pytest.skip("a campaign on a simulated cluster: pytest --campaign tests/slurm")
