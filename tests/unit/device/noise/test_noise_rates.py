"""Capture and emission: detailed balance, temperature, depth, field; refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants as codata
from scipy import stats

from ferrogen.core.errors import ArgumentError, FerrogenError, ValidityError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.electrostatics.stack import Stack
from ferrogen.device.noise.multiphonon import barriers, multiphonon_rates
from ferrogen.device.noise.rates import (
    ShockleyReadHall,
    arrhenius_slope,
    attempt_rate,
    attenuation_length,
    depth_from_bias_slope,
    offset_in_field,
    rates_in_field,
    thermal_velocity,
)
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE, draw_traps, stack_thickness
from ferrogen.device.transport.barrier import Bands, band_profile

KT = codata.k * 300.0 / codata.e
SRH = ShockleyReadHall(1e-19, 1e-10, 0.3, 1e26, density_exponent=1.5, degeneracy=2.0)


@pytest.fixture(scope="module")
def junction() -> DeviceCard:
    return load_card("hzo-mfis-nor")


def test_traps_py_is_the_case_of_equal_curvatures(junction: DeviceCard) -> None:
    traps = draw_traps(junction, 400, np.random.default_rng(1))
    for voltage, temperature in ((0.1, 300.0), (1.2, 260.0), (1.4, 390.0)):
        offset = traps.level - voltage * traps.relative_depth
        ours = multiphonon_rates(traps.attempt_rate, traps.relaxation_energy, offset, temperature)
        assert all(map(np.array_equal, ours, traps.rates(voltage, temperature)))
        # The general crossing, a hair beside R = 1, comes to the same: exponents below 60, so 60 * 1e-12 * a few.
        near = multiphonon_rates(traps.attempt_rate, traps.relaxation_energy, offset, temperature, 1.0 + 1e-12)
        for one, other in zip(ours, near, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9)


def test_the_card_s_time_constant_is_kept_for_every_curvature(junction: DeviceCard) -> None:
    traps = draw_traps(junction, 50, np.random.default_rng(2))
    depth = traps.relative_depth * stack_thickness(junction)
    crossing = traps.level / depth  # the field that pulls the level to the Fermi level
    for ratio in (0.6, 1.0, 1.7):
        capture, emission = rates_in_field(traps, depth, crossing, REFERENCE_TEMPERATURE, ratio)
        capture_1, emission_1 = rates_in_field(traps, depth, crossing, REFERENCE_TEMPERATURE)
        np.testing.assert_allclose(capture, emission, rtol=1e-9)
        np.testing.assert_allclose(capture + emission, capture_1 + emission_1, rtol=1e-9)
        barrier = barriers(1.2, 0.0, ratio)[0]
        assert float(attempt_rate(1e-3, 1.2, ratio)) == pytest.approx(np.exp(barrier / KT) / 2e-3, rel=1e-9, abs=0.0)


@settings(deadline=None)
@given(
    energy=st.floats(0.3, 3.0),
    position=st.floats(0.001, 0.999),
    ratio=st.floats(0.3, 3.0),
    temperature=st.floats(77.0, 600.0),
)
def test_detailed_balance_for_every_curvature(energy: float, position: float, ratio: float, temperature: float) -> None:
    offset = -energy / ratio**2 + position * (energy + energy / ratio**2)
    forth, back = barriers(energy, offset, ratio)
    assert float(forth - back) == pytest.approx(offset, abs=1e-12 * energy)
    assert float(min(forth, back)) >= 0.0
    capture, emission = multiphonon_rates(1e13, energy, offset, temperature, ratio)
    if min(capture, emission) > 1e-290:  # below, numbers lose digits on their way to 0
        expected = -offset * codata.e / (codata.k * temperature)
        assert float(np.log(capture / emission)) == pytest.approx(expected, abs=1e-9 * max(1.0, abs(expected)))


def test_levels_beyond_the_crossing_are_refused() -> None:
    for offset, ratio in ((1.0, 1.0), (-1.0, 1.0), (-0.3, 2.0), (np.nan, 1.0), (1.0, 0.5)):
        with pytest.raises(ValidityError, match="`offset`"):
            barriers(1.0, offset, ratio)
    with pytest.raises(ArgumentError, match="`relaxation_energy`"):
        barriers(0.0, 0.0)
    with pytest.raises(ArgumentError, match="`curvature_ratio`"):
        barriers(1.0, 0.0, -1.0)
    with pytest.raises(ArgumentError, match="`attempt_rate`"):
        multiphonon_rates(0.0, 1.0, 0.0, 300.0)


def test_srh_by_hand() -> None:
    capture, emission = SRH.rates(0.1, 1e-9, 300.0)
    speed = np.sqrt(8.0 * codata.k * 300.0 / (np.pi * codata.m_e))
    assert thermal_velocity(300.0) == pytest.approx(speed, rel=1e-8, abs=0.0)
    by_hand = 1e26 * speed * 1e-19 * np.exp(-0.3 / KT) * np.exp(-10.0)
    assert float(capture) == pytest.approx(by_hand, rel=1e-8, abs=0.0)
    # (4.2): tau_c / tau_e = g exp[(E_T - E_F) / kT]
    assert float(emission / capture) == pytest.approx(2.0 * np.exp(0.1 / KT), rel=1e-9, abs=0.0)


def test_attenuation_length_spans_the_published_range() -> None:
    assert attenuation_length(3.0, 0.5) == pytest.approx(0.08e-9, rel=0.01, abs=0.0)
    assert attenuation_length(2.0, 0.2) == pytest.approx(0.154e-9, rel=0.01, abs=0.0)


def test_arrhenius_slopes() -> None:
    kelvin = np.array([280.0, 300.0, 320.0, 340.0])
    rates = np.array([float(SRH.rates(0.0, 0.0, float(t))[0]) for t in kelvin])
    slope, error = arrhenius_slope(kelvin, rates)
    # E_B + (1/2 + 3/2) kT varies by 10 meV over the range; the slope is that at some temperature within it.
    assert SRH.activation_energy(280.0) < slope < SRH.activation_energy(340.0)
    fit = stats.linregress(-1.0 / (codata.k / codata.e * kelvin), np.log(rates))
    assert (slope, error) == pytest.approx((fit.slope, fit.stderr), rel=1e-6, abs=0.0)
    near = [float(SRH.rates(0.0, 0.0, t)[0]) for t in (299.99, 300.01)]
    assert arrhenius_slope([299.99, 300.01], near)[0] == pytest.approx(SRH.activation_energy(300.0), abs=1e-6)
    phonon = np.array([float(multiphonon_rates(1e13, 1.19, 0.05, float(t))[0]) for t in kelvin])
    exact, none = arrhenius_slope(kelvin, phonon)
    assert exact == pytest.approx((1.19 + 0.05) ** 2 / (4 * 1.19), abs=1e-9)
    assert none < 1e-9
    assert arrhenius_slope(kelvin[:2], phonon[:2])[1] == np.inf
    # device.md: 1.19 eV make tau(85 C) / tau(25 C) about 0.14
    cold, warm = (multiphonon_rates(1e13, 1.19, 0.0, t)[0] for t in (298.15, 358.15))
    assert float(cold / warm) == pytest.approx(0.14, abs=0.01)


def test_the_bias_slope_measures_the_depth(junction: DeviceCard) -> None:
    traps = draw_traps(junction, 100, np.random.default_rng(3))
    low, high = (np.log(np.divide(*traps.rates(v, 320.0)[::-1])) for v in (0.5, 0.9))
    depth = depth_from_bias_slope((high - low) / 0.4, 320.0, stack_thickness(junction))
    np.testing.assert_allclose(depth, traps.relative_depth * stack_thickness(junction), rtol=1e-8)
    with pytest.raises(ArgumentError, match="`slope`"):
        depth_from_bias_slope(-40.0, 300.0, 1e-8)


def test_the_polarisation_moves_a_trap_s_level_more_than_a_read_does(junction: DeviceCard) -> None:
    """The field that 20 uC/cm^2 leave in the MFIS card's film, against that of the 1.2 V read (device.md 3.3)."""
    film, layer = junction.ferroelectric_thickness.value, junction.interlayer_thickness.value
    eps_film, eps_layer = junction.ferroelectric_permittivity.value, junction.interlayer_permittivity.value
    depth = junction.trap_depth.value
    read = 1.2 / stack_thickness(junction)
    shifts = {}
    for compensated in (0.0, 0.8, 0.9):
        charge = 0.2 * (1.0 - compensated)  # C/m^2
        field = charge * layer / (codata.epsilon_0 * (eps_layer * film + eps_film * layer))
        shifts[compensated] = float(offset_in_field(0.0, depth, -field))
    by_read = -float(offset_in_field(0.0, depth, read))
    assert by_read == pytest.approx(0.271, abs=0.001)
    assert shifts[0.0] == pytest.approx(1.309, abs=0.002)
    assert shifts[0.8] == pytest.approx(0.262, abs=0.001)
    assert shifts[0.9] == pytest.approx(0.131, abs=0.001)


def test_a_residual_polarisation_field_silences_the_noise(junction: DeviceCard) -> None:
    """20 uC/cm^2, 80 % compensated, move the traps of a 1.2 V read off the Fermi level, whatever their sign."""
    traps = draw_traps(junction, 4000, np.random.default_rng(8))
    thickness = stack_thickness(junction)
    depth, read = traps.relative_depth * thickness, 1.2 / thickness
    left = 0.2 * 0.2 * 1e-9 / (codata.epsilon_0 * (3.9 * 10e-9 + 30.0 * 1e-9))
    rms = {}
    for sign in (-1, 0, 1):
        capture, emission = rates_in_field(traps, depth, read + sign * left, 300.0)
        p = capture / (capture + emission)
        rms[sign] = float(np.sqrt((traps.amplitude**2 * p * (1.0 - p)).mean() * 5.0))
    assert rms[0] == pytest.approx(0.0171, rel=0.1, abs=0.0)
    assert rms[-1] < 0.2 * rms[0]
    assert rms[1] < 0.3 * rms[0]


def test_a_field_does_what_the_voltage_does(junction: DeviceCard) -> None:
    traps = draw_traps(junction, 50, np.random.default_rng(4))
    thickness = stack_thickness(junction)
    by_field = rates_in_field(traps, traps.relative_depth * thickness, 1.2 / thickness, 300.0)
    for one, other in zip(by_field, traps.rates(1.2, 300.0), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    with pytest.raises(ValidityError, match="`offset`"):
        rates_in_field(traps, traps.relative_depth * thickness, 1e9, 300.0)


@pytest.mark.parametrize("voltage", [0.4, -0.7])
def test_the_level_follows_the_bands_of_either_electrode(voltage: float) -> None:
    """Against the band diagram: a voltage that makes the trap's electrode the negative one pulls its level down."""
    bands = Bands(2.0, 2.0, 0.2, 2.0, 0.2)
    film = 5e-9
    flat, tilted = (band_profile(Stack(film, 30.0), bands, v, 0.0) for v in (0.0, voltage))
    depth, energy = 2e-9, 1.8
    for from_top in (True, False):
        share = depth / film if from_top else 1.0 - depth / film
        edge = [float(p.upper[0] + share * (p.lower[0] - p.upper[0])) for p in (flat, tilted)]
        fermi = -voltage if from_top else 0.0  # of that electrode, above the bottom one's
        at_rest, driven = edge[0] - energy, edge[1] - energy - fermi
        applied = -voltage if from_top else voltage  # positive where that electrode is the negative one
        assert driven == pytest.approx(float(offset_in_field(at_rest, depth, applied / film)), abs=1e-12)


@settings(deadline=None)
@given(offset=st.floats(-1e3, 1e3), depth=st.floats(-1e-9, 1e-6), temperature=st.floats(-1.0, 1e4))
def test_srh_is_finite_or_refused(offset: float, depth: float, temperature: float) -> None:
    try:
        rates = SRH.rates(offset, depth, temperature)
    except FerrogenError:
        return
    assert all(np.isfinite(rate) and rate >= 0.0 for rate in rates)


@pytest.mark.parametrize(
    ("temperature", "rate"), [([300.0], [1.0]), ([300.0, 300.0], [1.0, 2.0]), ([300.0, 310.0], [1.0, 0.0])]
)
def test_arrhenius_refusals(temperature: list[float], rate: list[float]) -> None:
    with pytest.raises(ArgumentError):
        arrhenius_slope(temperature, rate)
