"""Each run has a colour of its own, whenever its learning rate came."""

import itertools

from lrtui.frontend.run_colors import STOPS, RunColors, place_of


def places(*waves: tuple[float, ...]) -> list[float]:
    """Return the place on the scale of each run's colour; the runs come in waves, each an LR."""
    colours, runs = RunColors(), []
    for wave in waves:
        runs += [(f"r{len(runs) + index}", lr) for index, lr in enumerate(wave)]
        colours.of(runs)
    return [place_of(mark.colour) or 0.0 for mark in colours.of(runs).values()]


def test_a_run_beyond_all_others_has_a_new_colour() -> None:
    step = 1 / (len(STOPS) - 1)
    for later in ([3e-3, 1e-3, 3e-4], [1.0, 3.0, 10.0], [3e-3, 1.0]):
        found = sorted(places((1e-2, 3e-2, 1e-1), *((lr,) for lr in later)))
        assert min(b - a for a, b in itertools.pairwise(found)) > step / 2, later


def test_colours_lie_in_the_order_of_the_lrs() -> None:
    found = places((1e-3, 1e-2, 1e-1, 1.0), (3e-3,), (1.0,))
    assert [found[i] for i in (0, 4, 1, 2, 3)] == sorted(found[:5])
    assert found[5] == found[3]
