"""Numbers that are none, at the public functions of the device rooms that have no other test of it: all are refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ferrogen.core.arrays import finite_array
from ferrogen.core.errors import ArgumentError, ValidityError
from ferrogen.device.card import load_card
from ferrogen.device.electrostatics.stack import Stack
from ferrogen.device.noise.amplitude import state_amplitude
from ferrogen.device.noise.electronic import shot_density, white_window_variance
from ferrogen.device.noise.ensemble import hooge_coefficient, population_spectrum
from ferrogen.device.noise.rates import attenuation_length, offset_in_field
from ferrogen.device.noise.traps import draw_traps
from ferrogen.device.polarization.kinetics import lorentzian_fraction, merz_time
from ferrogen.device.polarization.landau import LandauParameters, relaxation_rate, static_field
from ferrogen.device.polarization.preisach import (
    PreisachParameters,
    everett,
    preisach_density,
    reversible_slope,
    saturation_branch,
)
from ferrogen.device.programming.trains import amplitude_steps
from ferrogen.device.transport.barrier import Bands, Barrier, band_profile, trapezoid_profile
from ferrogen.device.transport.compact import effective_voltage
from ferrogen.device.transport.thermal import arrhenius
from ferrogen.device.transport.trap_assisted import AssistingTraps, trap_assisted_current
from ferrogen.device.transport.wkb import tunnel_current

PREISACH = PreisachParameters(0.3, 0.25, 1e8)
LANDAU = LandauParameters(0.2, 1e8, 50.0)
TRAPS = draw_traps(load_card("hzo-mfis-nor"), 3, np.random.default_rng(1))
BARRIER = trapezoid_profile(Barrier(2.0, 2.0, 3e-9, 0.2), 0.1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: merz_time(x, 1e8, attempt_time=1e-6, field_exponent=2.0), "field"),
        (lambda x: merz_time(1e8, x, attempt_time=1e-6, field_exponent=2.0), "activation_field"),
        (lambda x: preisach_density(PREISACH, x, 0.0), "upper"),
        (lambda x: preisach_density(PREISACH, 0.0, x), "lower"),
        (lambda x: reversible_slope(PREISACH, x), "field"),
        (lambda x: static_field(LANDAU, x), "polarization"),
        (lambda x: relaxation_rate(LANDAU, x), "polarization"),
        (shot_density, "current"),
        (lambda x: white_window_variance(x, 1e-3), "density"),
        (lambda x: hooge_coefficient(x, 1.0, 1.0), "frequency"),
        (lambda x: hooge_coefficient(1.0, x, 1.0), "relative_density"),
        (lambda x: offset_in_field(0.1, 1e-9, x), "field"),
        (lambda x: state_amplitude(x, 0.5, 2.0, 0.5), "amplitude"),
        (lambda x: effective_voltage(x, 0.3), "voltage"),
        (lambda x: amplitude_steps(0.5, x, 1e-6, 3), "last"),
        (lambda x: population_spectrum(TRAPS, x, 0.1, 300.0), "frequency"),
        (lambda x: TRAPS.rates(x, 300.0), "voltage"),
        (lambda x: TRAPS.rates(0.1, x), "temperature"),
        (lambda x: tunnel_current(BARRIER, 0.1, x), "temperature"),
        (lambda x: arrhenius(0.5, x), "temperature"),
    ],
)
def test_what_is_no_number_is_refused(call: Callable[[float], object], name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call(value)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: effective_voltage(1e3, 0.3), "voltage"),  # the sinh would overflow
        (lambda: tunnel_current(BARRIER, 0.1, 1e300), "temperature"),
        (lambda: arrhenius(0.5, 5e-324), "temperature"),
        (lambda: lorentzian_fraction(2.0, 1.0, 5e-324, 2.0), "width"),
        (lambda: TRAPS.rates(0.1, 0.0), "temperature"),
        (lambda: everett(PREISACH, np.nan, 0.0), "upper"),
        (lambda: saturation_branch(PREISACH, np.nan, rising=True), "field"),
    ],
)
def test_what_overflows_is_refused(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call()


def test_a_voltage_beyond_the_rates_formula_is_refused() -> None:
    """Past the relaxation energy a rate would fall again (inverted region), which real traps do not show."""
    with pytest.raises(ValidityError, match="`voltage` must leave every trap's level"):
        TRAPS.rates(40.0, 300.0)


def test_infinite_fields_are_saturation() -> None:
    assert float(saturation_branch(PREISACH, np.inf, rising=True)) == 0.3
    assert everett(PREISACH, np.inf, -np.inf) == pytest.approx(0.6, rel=1e-12)


def test_no_number_at_all_is_an_empty_answer() -> None:
    none = np.array([])
    assert finite_array("voltage", none, "V").shape == (0,)
    profile = band_profile(Stack(3e-9, 30.0), Bands(2.0, 2.0, 0.2, 2.0, 0.2), none, 0.1)
    assert tunnel_current(profile, none).shape == (0,)
    assert trap_assisted_current(profile, none, AssistingTraps(1e25, 2.0, 0.1, 1.19, 1e13)).shape == (0,)


def test_an_attenuation_length_of_tiny_numbers() -> None:
    assert attenuation_length(1e-300, 1e-30) == pytest.approx(attenuation_length(1e-30, 1e-300), rel=1e-12, abs=0.0)
    assert np.isfinite(attenuation_length(1e-300, 1e-30))
