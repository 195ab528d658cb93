"""Laws of wear against independent integrals and simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.reliability.breakdown import Breakdown, characteristic_life, draw_breakdown, survival
from ferrogen.device.reliability.imprint import Imprint, imprint_field, imprint_from_barriers

BOLTZMANN = 8.617333262e-5  # eV/K


@pytest.mark.parametrize("temperature", [260.0, 300.0, 400.0])
@pytest.mark.parametrize("time", [1e-3, 1.0, 1e4])
def test_imprint_is_that_of_evenly_spread_barriers(temperature: float, time: float) -> None:
    """Charges behind barriers E spread evenly from E_a on, each released after attempt exp(E / kT): by quadrature.

    300 K: field S per k T0 of energy, onset t_i = attempt exp(E_a / k T0).
    """
    energy, onset, slope = 0.5, 1.0, 2e6
    attempt = onset * math.exp(-energy / (BOLTZMANN * 300.0))
    thermal = BOLTZMANN * temperature

    def released(barrier: float) -> float:
        return -math.expm1(-time / attempt * math.exp(-barrier / thermal))

    far = energy + 60.0 * thermal + thermal * math.log1p(time / onset)
    middle = energy + thermal * max(0.0, math.log(time / attempt) - energy / thermal)
    total, _ = integrate.quad(released, energy, far, points=[middle], limit=400, epsabs=1e-12)
    law = Imprint(slope, onset, energy)
    expected = slope / (BOLTZMANN * 300.0) * total
    exact = float(imprint_from_barriers(law, time, temperature))
    # Quadrature of a smooth step of height one: better than 1e-8; 60 kT of tail cut off: e^-60.
    assert exact == pytest.approx(expected, rel=1e-7)
    # The logarithm is its short form: less by at most Euler's constant times the slope, never more.
    short = float(imprint_field(law, time, temperature))
    assert 0.0 <= exact - short <= np.euler_gamma * slope * temperature / 300.0


def test_cumulative_exposure_against_walkers(z_limit: Callable[[int], float]) -> None:
    """A junction stressed at 3.6 V, then at 4 V: wear adds up in lives. Simulated as weakest of many cells.

    Every junction has a resistance to wear drawn once from the Weibull law; it dies when its wear exceeds it.
    """
    law = Breakdown(time=1.0, voltage=4.0, shape=1.5, acceleration=10.0)
    lower = characteristic_life(law, 3.6)
    first, second = 0.3 * lower, 0.4
    cells = 20_000
    strength = draw_breakdown(law, cells, Streams(1).generator(Purpose.BREAKDOWN))
    alive = np.mean(strength > first / lower * law.time + second)
    expected = float(survival(law, 0.3 * 1.0 + second))
    assert abs(alive - expected) < z_limit(1) * math.sqrt(expected * (1 - expected) / cells)


def test_area_scaling_against_weakest_links(z_limit: Callable[[int], float]) -> None:
    """A junction of eight times the area is a chain of eight: the earliest of eight drawn failures."""
    law = Breakdown(time=1.0, voltage=4.0, shape=1.3, acceleration=10.0)
    parts = draw_breakdown(law, 8 * 5000, Streams(2).generator(Purpose.BREAKDOWN)).reshape(5000, 8)
    weakest = parts.min(axis=1)
    life = characteristic_life(law, 4.0, area=8.0 * law.area)
    for time in (0.05, 0.1, 0.3):
        expected = float(survival(law, time, life))
        assert abs(np.mean(weakest > time) - expected) < z_limit(3) * math.sqrt(expected * (1 - expected) / 5000)
