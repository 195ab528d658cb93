"""Amplitudes: the blocked area against another series for the potential, clipped moments against quadrature."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants as codata
from scipy import stats
from scipy.integrate import quad

from ferrogen.array.population import draw_population
from ferrogen.core.errors import ArgumentError, CardError
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.amplitude import (
    amplitude_moment,
    area_step,
    blocked_area,
    clipped_moment,
    mechanism_step,
    path_step,
    potential_between_plates,
    scaled_amplitude_moment,
    state_amplitude,
)
from ferrogen.device.noise.traps import draw_traps


def test_the_potential_by_image_charges() -> None:
    """Images at 2 n t +- z0, whose alternating sum's tail falls as 1 / n^2: 4000 of them leave 1e-7 of it."""
    t, z0, eps = 3e-9, 1e-9, 30.0
    n = np.arange(-4000, 4001)[:, None]
    for r, z in ((0.3e-9, 1.1e-9), (1e-9, 2e-9), (3e-9, 0.4e-9)):
        plus, minus = np.hypot(r, z - z0 - 2 * n * t), np.hypot(r, z + z0 - 2 * n * t)
        images = codata.e / (4 * np.pi * eps * codata.epsilon_0) * (1 / plus - 1 / minus).sum()
        assert float(potential_between_plates(r, z, z0, t, eps)) == pytest.approx(images, rel=1e-5, abs=0.0)


@pytest.mark.parametrize(("thickness", "low", "high"), [(3e-9, 0.4, 1.1), (4e-9, 0.7, 1.9), (5e-9, 1.1, 2.9)])
def test_the_blocked_area_of_the_reference(thickness: float, low: float, high: float) -> None:
    """device.md 4.5, to its one decimal: 2 eV, 0.2 electron masses, eps 30, from near an electrode to the middle."""
    edge, middle = (blocked_area(thickness, x * thickness, 30.0, 2.0, 0.2) * 1e18 for x in (0.1, 0.5))
    assert (edge, middle) == pytest.approx((low, high), abs=0.06)
    mirrored = blocked_area(thickness, 0.9 * thickness, 30.0, 2.0, 0.2) * 1e18
    assert mirrored == pytest.approx(edge, rel=1e-6, abs=0.0)


def test_the_blocked_area_by_another_quadrature() -> None:
    """scipy's adaptive rules over the images' potential, in place of Gauss' rules over Bessel's series."""
    t, z0, eps, phi, mass = 3e-9, 1.2e-9, 30.0, 2.0, 0.2
    n = np.arange(-300, 301)
    wave = 2.0 * np.sqrt(2.0 * mass * codata.m_e * codata.e) / codata.hbar

    def raised(z: float, r: float) -> float:
        images = (1 / np.hypot(r, z - z0 - 2 * n * t) - 1 / np.hypot(r, z + z0 - 2 * n * t)).sum()
        return float(np.sqrt(phi + codata.e / (4 * np.pi * eps * codata.epsilon_0) * images) - np.sqrt(phi))

    def lost(r: float) -> float:
        action = wave * quad(raised, 0.0, t, args=(r,), points=[z0], epsrel=1e-6)[0]
        return float(2.0 * np.pi * r * -np.expm1(-action))

    edges = np.array([0.0, 0.02, 0.1, 0.3, 1.0, 4.0]) * t
    area = sum(quad(lost, a, b, epsrel=1e-5)[0] for a, b in pairwise(edges))
    assert blocked_area(t, z0, eps, phi, mass) == pytest.approx(area, rel=1e-3, abs=0.0)


def test_steps_fall_with_area_and_paths() -> None:
    np.testing.assert_allclose(area_step(2e-18, [1e-14, 1e-16, 1e-18]), [2e-4, 2e-2, 1.0])
    np.testing.assert_allclose(path_step([1.0, 25.0]), [1.0, 0.04])
    for call, name in (
        (lambda: area_step(2e-18, 0.0), "area"),
        (lambda: path_step(0.5), "paths"),
        (lambda: blocked_area(3e-9, 3e-9, 30.0, 2.0, 0.2), "depth"),
        (lambda: clipped_moment(0.0, 1.0, 1.0, 2), "median"),
        (lambda: clipped_moment(1.0, 1.0, 1.0, 0), "order"),
        (lambda: state_amplitude(0.1, 1.5, 2.0, 0.5), "switched_fraction"),
    ):
        with pytest.raises(ArgumentError, match=f"`{name}`"):
            call()


@settings(deadline=None)
@given(median=st.floats(1e-4, 2.0), width=st.floats(0.01, 1.5), limit=st.floats(1e-3, 2.0), order=st.integers(1, 3))
def test_clipped_moments(median: float, width: float, limit: float, order: int) -> None:
    edge = np.log(limit / median) / width
    shift = order * width

    def tilted(z: float) -> float:  # m^k e^(k s z) phi(z), completed to a normal density about k s
        return float(median**order * np.exp(shift**2 / 2) * stats.norm.pdf(z - shift))

    top = min(edge, shift + 12.0)
    inside = quad(tilted, min(edge, shift) - 12.0, top, epsabs=0.0, epsrel=1e-10, limit=200)[0]
    expected = inside + limit**order * stats.norm.sf(edge)
    assert clipped_moment(median, width, limit, order) == pytest.approx(expected, rel=1e-6, abs=0.0)


def test_moments_of_drawn_traps(card: DeviceCard) -> None:
    """Level 1e-3 over four moments; amplitudes to the sixth power are heavy-tailed, but clipped."""
    traps = draw_traps(card, 20_000, np.random.default_rng(5))
    z = []
    for factor in (1.0, 2.0):
        size = np.minimum(-traps.amplitude * factor, card.trap_amplitude_limit.value)
        for order in (1, 2):
            moment = scaled_amplitude_moment(card, factor, order)
            z.append((np.mean(size**order) - moment) / (np.std(size**order) / np.sqrt(size.shape[0])))
    assert np.max(np.abs(z)) < stats.norm.isf(5e-4 / 4)
    half = np.minimum(-traps.amplitude, card.trap_amplitude_limit.value) * 0.5
    assert scaled_amplitude_moment(card, 0.5, 2) == pytest.approx(np.mean(half**2), rel=0.1, abs=0.0)
    # where the limit is tight: clipped at it, doubled, and clipped at it again
    tight = card.model_copy(
        update={"trap_amplitude_limit": card.trap_amplitude_limit.model_copy(update={"value": 0.015})}
    )
    for factor in (0.5, 2.0):
        size = np.minimum(np.minimum(-traps.amplitude, 0.015) * factor, 0.015)
        moment = scaled_amplitude_moment(tight, factor, 2)
        assert abs(np.mean(size**2) - moment) < 4 * np.std(size**2) / np.sqrt(size.shape[0])
    assert amplitude_moment(card, 1) == scaled_amplitude_moment(card, 1.0, 1)
    silent = card.model_copy(update={"trap_amplitude": card.trap_amplitude.model_copy(update={"value": 0.0})})
    assert amplitude_moment(silent, 2) == 0.0


def test_the_state_s_amplitude_is_what_arrays_use(card: DeviceCard) -> None:
    population = draw_population(card, 20, 10, np.random.default_rng(3))
    s = np.random.default_rng(4).uniform(size=(20, 10))
    steps = population.trap_steps(s, 2.0, 0.3)
    cell = population.traps.cell
    own = state_amplitude(population.traps.amplitude, s.T.ravel()[cell], 2.0, 0.3)
    together = np.bincount(cell, weights=own, minlength=200)
    few = together[cell] < 0.9  # arrays shrink the steps of cells in which all traps together block nearly all
    expected = -own * population.conductance(s).T.ravel()[cell]
    assert few.mean() > 0.9
    np.testing.assert_allclose(steps[few], expected[few], rtol=1e-13)


def test_the_step_that_the_conduction_implies(noisy_card: DeviceCard) -> None:
    assert mechanism_step(noisy_card) == pytest.approx(4e-16 / 1e-14, rel=1e-6, abs=0.0)
    assert noisy_card.noise is not None
    direct = noisy_card.model_copy(update={"noise": noisy_card.noise.model_copy(update={"path_area": None})})
    assert mechanism_step(direct) == pytest.approx(2e-18 / 1e-14, rel=1e-6, abs=0.0)
    neither = {"path_area": None, "blocked_area": None}
    with pytest.raises(CardError, match="blocked_area"):
        mechanism_step(noisy_card.model_copy(update={"noise": noisy_card.noise.model_copy(update=neither)}))
