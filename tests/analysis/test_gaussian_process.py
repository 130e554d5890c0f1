"""The Gaussian process: the same numbers as the text book's formulas, and what the verdict relies on."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.analysis import gaussian_process
from lrtui.analysis.gaussian_process import Observation, fit

NOISY = tuple(
    Observation(-4 + i / 2, y, v)
    for i, (y, v) in enumerate([(70.0, 0.5), (78.0, 0.25), (84.0, 0.1), (85.0, 0.25), (82.0, 0.5)])
)
XS = [-4.2, -4.0, -3.1, -2.75, -2.5, -1.5]


def by_the_book(found: gaussian_process.Posterior, xs):
    """Rasmussen and Williams, equations 2.23 and 2.24, with found's parameters."""
    own = np.array([o.x for o in found.observations])
    xs = np.array(xs)

    def k(a, b):
        return found.signal * np.exp(-0.5 * (a[:, None] - b[None, :]) ** 2 / found.length**2)

    noise = np.diag([o.variance + found.noise for o in found.observations])
    inverse = np.linalg.inv(k(own, own) + noise)
    y = np.array([o.y for o in found.observations]) - found.mean
    return found.mean + k(xs, own) @ inverse @ y, k(xs, xs) - k(xs, own) @ inverse @ k(own, xs)


def test_mean_and_deviation_are_those_of_the_text_book():
    found = fit(NOISY)
    means, covariance = by_the_book(found, XS)
    for x, mean, variance in zip(XS, means, np.diag(covariance), strict=True):
        assert found.at(x) == pytest.approx((mean, math.sqrt(variance)), rel=1e-5)


def test_the_constant_mean_and_the_likelihood_are_the_most_likely_ones():
    found = fit(NOISY)
    own = np.array([o.x for o in NOISY])
    y = np.array([o.y for o in NOISY])

    def likelihood(length, signal, mean):
        k = signal * np.exp(-0.5 * (own[:, None] - own[None, :]) ** 2 / length**2)
        k += np.diag([o.variance for o in NOISY])
        r = y - mean
        return -0.5 * r @ np.linalg.solve(k, r) - 0.5 * np.linalg.slogdet(k)[1]

    best = likelihood(found.length, found.signal, found.mean)
    assert found.likelihood == pytest.approx(best, rel=1e-5)
    assert best > likelihood(found.length, found.signal, found.mean + 0.5)
    assert best > likelihood(found.length, found.signal, found.mean - 0.5)
    assert best + 1e-9 >= likelihood(found.length, found.signal / 2.5, found.mean) or (
        found.signal == min(gaussian_process.SIGNALS)
    )


def test_draws_have_the_posteriors_mean_and_covariance_and_are_the_same_each_time():
    found = fit(NOISY)
    curves = np.array(found.draws(XS, 20_000))
    means, covariance = by_the_book(found, XS)
    assert curves.mean(axis=0) == pytest.approx(means, abs=1e-6)  # mirror images
    spread = math.sqrt(np.diag(covariance).max())
    assert np.cov(curves.T) == pytest.approx(covariance, abs=0.04 * spread**2)
    assert found.draws(XS, 7) == found.draws(XS, 7)
    assert found.draws(XS, 7) != found.draws(XS, 7, seed=1)
    assert len(found.draws(XS, 7)) == 7


def test_few_directions_stand_for_many_places():
    found = fit(NOISY)
    xs = [-4 + i / 20 for i in range(41)]
    solved = [gaussian_process.forward(found.factor, found._shared(x)) for x in xs]
    loads = np.array(
        gaussian_process.loadings(solved, found.signal, lambda i, j: found.covariance(xs[i], xs[j]))
    )
    _, covariance = by_the_book(found, xs)
    assert loads.shape[1] <= 12
    assert loads @ loads.T == pytest.approx(covariance, abs=1e-5 * np.diag(covariance).max())


def test_noise_is_smoothed_and_certainty_is_not():
    spike = [(-4.0, 1.0), (-3.5, 1.0), (-3.0, 2.0), (-2.5, 1.0), (-2.0, 1.0)]
    sure = fit(tuple(Observation(x, y, 1e-6) for x, y in spike))
    doubtful = fit(tuple(Observation(x, y, 1.0) for x, y in spike))
    assert sure.at(-3.0)[0] == pytest.approx(2.0, abs=0.01)
    assert doubtful.at(-3.0)[0] < 1.5


def test_unknown_noise_is_read_off_the_results():
    wild = tuple(Observation(-4 + i / 4, 1.0 if i % 2 else -1.0, 0.0) for i in range(12))
    smooth = tuple(Observation(-4 + i / 4, -((i - 6) ** 2) / 36, 0.0) for i in range(12))
    assert fit(wild, (0.0, 0.01, 1.0)).noise == 1.0
    assert fit(smooth, (0.0, 0.01, 1.0)).noise < 1.0


def test_expected_improvement_is_what_the_draws_gain():
    found = fit(NOISY)
    best = 82.5
    for x in (-2.75, -2.0):
        gains = [max(0.0, curve[0] - best) for curve in found.draws([x], 20_000)]
        assert found.improvement(x, best) == pytest.approx(sum(gains) / len(gains), rel=0.05)
    assert found.improvement(-2.75, best) > found.improvement(-4.0, best)


def test_one_observation_and_equal_ones_are_no_special_case():
    one = fit((Observation(-3.0, 5.0, 0.1),))
    assert one.at(-3.0)[0] == pytest.approx(5.0)
    assert one.at(0.0)[1] > one.at(-3.0)[1]
    equal = fit(tuple(Observation(float(-i), 5.0, 0.0) for i in range(4)))
    assert equal.at(-1.5)[0] == pytest.approx(5.0)


@given(
    st.lists(
        st.tuples(st.floats(-8, 1), st.floats(-1e6, 1e6), st.floats(0, 1e4)),
        min_size=1,
        max_size=12,
    )
)
@settings(deadline=None, max_examples=60)
def test_whatever_is_observed_the_answer_is_finite_and_order_does_not_matter(found):
    observations = tuple(Observation(*each) for each in found)
    posterior = fit(observations)
    for x in (-9.0, found[0][0], 1.5):
        assert all(map(math.isfinite, posterior.at(x)))
        assert all(
            math.isfinite(value) for curve in posterior.draws([x, 0.0], 3) for value in curve
        )
    assert fit(observations[::-1]) == posterior


@pytest.mark.parametrize(
    "bad", [(), (Observation(0.0, math.nan, 1.0),), (Observation(0.0, 1.0, math.inf),)]
)
def test_nothing_and_what_is_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"observation"):
        fit(bad)


def test_it_imports_no_numpy():
    code = "import sys, lrtui.analysis.gaussian_process, lrtui.analysis.verdict; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_thousand_results_cost_as_much_as_some_dozens_and_say_the_same():
    def truth(x):
        return 80 - 6 * (x + 2.7) ** 2

    noise = np.random.default_rng(3).normal(0.0, 1.0, 1000)
    xs = np.linspace(-5, -1, 1000)
    many = tuple(
        Observation(float(x), float(truth(x) + e), 1.0) for x, e in zip(xs, noise, strict=True)
    )
    found = fit(many)
    assert len(found.observations) == gaussian_process.MOST
    assert sum(1 / o.variance for o in found.observations) == pytest.approx(1000.0)
    for x in (-4.0, -2.7, -1.5):
        mean, deviation = found.at(x)
        assert abs(mean - truth(x)) < 4 * deviation < 1.0


def test_unknown_noise_is_merged_too_and_at_the_limit_nothing_is():
    exact = tuple(Observation(-5 + i / 16, float(i), 0.0) for i in range(gaussian_process.MOST))
    assert fit(exact).observations == exact
    more = (*exact, Observation(0.0, 64.0, 0.0))
    assert len(fit(more).observations) == gaussian_process.MOST
