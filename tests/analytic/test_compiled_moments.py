"""The compiled moments against the readable ones."""

from __future__ import annotations

import numpy as np

from ferrogen.device.noise.rtn.closed_form import scheduled_moments
from ferrogen.device.noise.rtn.moments import phase_moments


def test_both_forms_agree_for_slow_and_fast_traps() -> None:
    generator = np.random.default_rng(0)
    to_one, to_zero = (np.exp(generator.uniform(np.log(1e-9), np.log(1e4), (3000, 4))) for _ in range(2))
    for phase in range(4):
        mean, variance = phase_moments(to_one, to_zero, phase)
        wanted_mean, wanted_variance = scheduled_moments(to_one, to_zero, phase)
        np.testing.assert_allclose(mean, wanted_mean, rtol=1e-9, atol=1e-15)
        # Near u = 1e-3 the closed form loses 1e-16 / u^2 to cancellation, and the variance is a difference of squares.
        np.testing.assert_allclose(variance, wanted_variance, rtol=1e-6, atol=2e-10)
