"""Laws of wear, decay and hopping against the rate equations that they are the solutions of, integrated numerically."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import constants as codata
from scipy.integrate import solve_ivp

from ferrogen.device.noise.rates import attenuation_length
from ferrogen.device.reliability.decay import PowerLaw, StretchedExponential, share_kept
from ferrogen.device.reliability.fatigue import Fatigue, cycles_to_loss, fatigue_factor, logarithmic_fatigue
from ferrogen.device.reliability.wake_up import WakeUp, wake_up_factor
from ferrogen.device.transport.thermal import hopping
from ferrogen.device.transport.wkb import linear_action

KELVIN = 350.0
RTOL = 1e-7  # the integrator runs at 1e-10 relative; its errors add up over some ten decades


def _followed(slope: Callable[[float, float], float], start: float, first: float, last: float) -> float:
    """Integrate dy / d ln t = slope(t, y) from ln(first) to ln(last)."""
    found = solve_ivp(
        lambda x, y: [slope(math.exp(x), y[0])], (math.log(first), math.log(last)), [start],
        method="LSODA", rtol=1e-10, atol=1e-13,
    )  # fmt: skip
    return float(found.y[0, -1])


def _slower(energy: float) -> float:
    """How much longer a thermally activated time is at 350 K than at 300 K, from constants of another table."""
    return math.exp(energy * codata.e / codata.k * (1.0 / KELVIN - 1.0 / 300.0))


@pytest.mark.parametrize("cycles", [30.0, 2e3, 5e5])
def test_wake_up(cycles: float) -> None:
    """What is missing, m, falls by dm / d ln N = -b (N / N_w)^b m."""
    law = WakeUp(share=0.4, cycles=1e3, exponent=0.6, activation_energy=0.3)
    own = 1e3 * _slower(0.3)
    missing = _followed(lambda n, m: -0.6 * (n / own) ** 0.6 * m, 0.4, 1e-16, cycles)
    assert float(wake_up_factor(law, cycles, KELVIN)) == pytest.approx(1.0 - missing, rel=RTOL)


@pytest.mark.parametrize("cycles", [1e3, 1e6, 1e10])
def test_fatigue(cycles: float) -> None:
    """A logistic law in ln N: dp / d ln N = -m p (1 - p), half at N_f; its inverse by the same integration."""
    law = Fatigue(cycles=1e7, exponent=0.7, activation_energy=0.2)
    half = 1e7 * _slower(0.2)
    left = _followed(lambda _n, p: -0.7 * p * (1.0 - p), 0.5, half, cycles)
    assert float(fatigue_factor(law, cycles, KELVIN)) == pytest.approx(left, rel=RTOL)
    assert cycles_to_loss(law, left, KELVIN) == pytest.approx(cycles, rel=1e-5)  # where p is flat, N loses digits


def test_fatigue_by_the_decade() -> None:
    left = _followed(lambda _n, _p: -0.08 / math.log(10.0), 1.0, 1e4, 3e8)
    assert float(logarithmic_fatigue(3e8, 1e4, 0.08)) == pytest.approx(left, rel=RTOL)


@pytest.mark.parametrize("time", [1e2, 1e6, 3e8])
def test_empirical_retention(time: float) -> None:
    scale = 1e6 * _slower(0.4)
    stretched = _followed(lambda t, p: -0.3 * (t / scale) ** 0.3 * p, 1.0, 1e-40, time)
    law = StretchedExponential(time=1e6, exponent=0.3, activation_energy=0.4)
    assert float(share_kept(law, time, KELVIN)) == pytest.approx(stretched, rel=1e-6)
    early = 1e-3 * _slower(0.4)
    power = _followed(lambda _t, p: -0.05 * p, 1.0, early, time)
    assert float(share_kept(PowerLaw(1e-3, 0.05, 0.4), time, KELVIN)) == pytest.approx(power, rel=RTOL)


@pytest.mark.parametrize("field", [1e5, 3e7, -2e8])
def test_hopping_is_the_current_of_a_ring_of_sites(field: float) -> None:
    """The stationary master equation of hops along and against the field round a ring; J0 = q n a nu."""
    distance, energy, attempt, density, sites = 0.8e-9, 0.35, 1e12, 1e25, 7
    thermal = codata.k * KELVIN / codata.e
    along, against = (attempt * math.exp(-(energy - sign * 0.5 * distance * field) / thermal) for sign in (1.0, -1.0))
    ring = np.roll(np.eye(sites), 1, axis=0) * along + np.roll(np.eye(sites), -1, axis=0) * against
    ring -= np.diag(ring.sum(axis=0))
    values, vectors = np.linalg.eig(ring)
    still = np.real(vectors[:, np.argmin(np.abs(values))])
    still = still / still.sum()
    drift = distance * sites * (still[0] * along - still[1] * against)  # of one carrier on the ring [m/s]
    scale = codata.e * density * distance * attempt
    assert float(hopping(field, KELVIN, energy, distance, scale)) == pytest.approx(
        codata.e * density * drift, rel=1e-6, abs=0.0
    )


def test_attenuation_is_the_slope_of_the_tunnelling_action() -> None:
    """d ln T / dx of a rectangular barrier, from the integral of the transport room; constants differ by 1e-9."""
    thinner, thicker = (float(linear_action(2.0, 2.0, d, 0.2, 0.0)) for d in (1.0e-9, 1.5e-9))
    assert attenuation_length(2.0, 0.2) == pytest.approx(0.5e-9 / (thicker - thinner), rel=1e-8, abs=0.0)
