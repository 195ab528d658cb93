"""Charge that compensates the polarisation against closed forms and a differential-equation solver."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from ferrogen.device.electrostatics.interface_charge import (
    InterfaceSites,
    relaxed,
    settled,
    step_response,
    total_charge,
)

SITES = InterfaceSites(compensated_share=0.8, shortest=1e-7, longest=1e3, bins=30)


def test_step_response_is_the_mean_of_exponentials() -> None:
    """E1 form against quadrature over log tau; quad is asked for 1e-10 of it."""
    for t in (1e-12, 1e-9, 1e-7, 1e-4, 1.0, 1e3, 1e4):
        mean, _ = integrate.quad(
            lambda x, t=t: np.exp(-t * np.exp(-x)), np.log(1e-7), np.log(1e3), epsabs=1e-13, epsrel=1e-11, limit=500,
            points=[np.clip(np.log(t), np.log(2e-7), np.log(9e2))],
        )  # fmt: skip
        assert step_response(SITES, t) == pytest.approx(mean / np.log(1e10), rel=1e-8, abs=1e-12)


def test_binned_sites_follow_the_closed_form() -> None:
    """Three bins a decade: the midpoint rule's error is 1e-4 away from the ends, (step)^2 / 24 of the slope at them."""
    times = np.geomspace(1e-6, 1e2, 50)
    charge = total_charge(relaxed(SITES, settled(SITES, np.full(50, -0.2)), np.full(50, 0.2), times))
    left = (charge / (-0.8 * 0.2) - 1.0) / -2.0
    assert np.abs(left - step_response(SITES, times)).max() < 2e-4
    ends = np.array([3e-8, 1e-7, 1e3, 3e3])
    charge = total_charge(relaxed(SITES, np.zeros((4, 30)), np.full(4, 0.2), ends))
    assert np.abs(1.0 - charge / -0.16 - step_response(SITES, ends)).max() < 2e-3


def test_a_waveform_of_polarisation_against_a_solver() -> None:
    """Piecewise constant P: exact steps, so the solver's tolerance (1e-9) is the only error; stiffness 1e3 for BDF."""
    sites = InterfaceSites(0.7, 1e-5, 1e-2, 6)
    levels, duration = [0.2, -0.1, 0.15, 0.0], [3e-4, 1e-5, 2e-3, 7e-4]
    charges = settled(sites, -0.2)
    expected = charges.copy()
    for p, t in zip(levels, duration, strict=True):
        charges = relaxed(sites, charges, p, t)
        run = integrate.solve_ivp(
            lambda _, y, p=p: (-0.7 * p / 6 - y) / sites.time_constants, (0.0, t), expected, rtol=1e-10, atol=1e-14,
            method="LSODA",
        )  # fmt: skip
        expected = run.y[:, -1]
        np.testing.assert_allclose(charges, expected, rtol=1e-6, atol=1e-9)
