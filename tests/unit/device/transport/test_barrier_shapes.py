from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError, ValidityError
from ferrogen.device.electrostatics.stack import Stack, screening_shifts
from ferrogen.device.transport.barrier import Bands, Barrier, band_profile, polarized_barrier, trapezoid_profile
from ferrogen.device.transport.direct import brinkman, fowler_nordheim, gruverman, simmons, temperature_factor
from ferrogen.device.transport.thermal import activation_energy, arrhenius, hopping, poole_frenkel, thermionic
from ferrogen.device.transport.wkb import tunnel_current

BARRIER = Barrier(1.8, 2.2, 3e-9, 0.2)


@given(st.floats(-3.0, 3.0), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(0.0, 3e-9), st.floats(0.0, 1e-9))
def test_bands_end_at_the_electrodes(
    voltage: float, polarization: float, charge: float, layer: float, dead: float
) -> None:
    """From -V + top barrier to the bottom barrier, each with its electrode's band bending, whatever lies between."""
    stack = Stack(5e-9, 30.0, layer, 9.0, dead, 20.0, 0.02e-9, 0.06e-9, built_in_voltage=1.3)
    profile = band_profile(stack, Bands(2.0, 1.7, 0.2, 2.9, 0.3), voltage, polarization, charge)
    top, bottom = screening_shifts(replace(stack, built_in_voltage=0.3), voltage, polarization, charge)
    assert profile.upper[0] == pytest.approx(2.0 - voltage + top, abs=1e-9)
    assert profile.lower[-1] == pytest.approx((2.9 if layer > 0.0 else 1.7) + bottom, abs=1e-8)
    assert profile.thickness.sum() == pytest.approx(5e-9 + layer + dead, rel=1e-12, abs=0.0)
    assert profile.thickness[profile.ferroelectric] == 5e-9


def test_polarization_tilts_the_trapezoid() -> None:
    stack = Stack(4e-9, 30.0, top_screening_length=0.05e-9, bottom_screening_length=0.1e-9)
    bands = Bands(2.0, 2.0, 0.2, 2.0, 0.2)
    down, up = polarized_barrier(stack, bands, 0.1), polarized_barrier(stack, bands, -0.1)
    assert down.top_height > 2.0 > down.bottom_height
    assert down.top_height + up.top_height == pytest.approx(4.0)
    assert down.mean_height < 2.0 < up.mean_height  # the electrode that screens worse decides
    profile, flat = band_profile(stack, bands, 0.0, 0.1), trapezoid_profile(down, 0.0)
    np.testing.assert_allclose([profile.upper, profile.lower], [flat.upper, flat.lower], rtol=1e-12)
    with pytest.raises(ValidityError, match="no barrier"):
        polarized_barrier(stack, bands, 0.9)
    with pytest.raises(ValidityError, match="trapezoid"):
        polarized_barrier(Stack(4e-9, 30.0, 1e-9, 9.0), bands, 0.1)


@pytest.mark.parametrize("law", [gruverman, simmons, brinkman])
def test_closed_forms_refuse_where_they_end(law: object) -> None:
    for voltage in (1.8, -2.2, 5.0):
        with pytest.raises(ValidityError, match="voltage"):
            law([0.1, voltage], BARRIER)  # type: ignore[operator]
    with pytest.raises(ArgumentError, match="voltage"):
        law(np.nan, BARRIER)  # type: ignore[operator]
    assert law(0.0, BARRIER) == 0.0  # type: ignore[operator]


def test_other_limits_are_refused() -> None:
    with pytest.raises(ValidityError, match="cubic"):
        brinkman(0.9, BARRIER)
    with pytest.raises(ValidityError, match="temperature"):
        temperature_factor(BARRIER, 2500.0)
    with pytest.raises(ArgumentError, match="temperature"):
        temperature_factor(BARRIER, -1.0)
    with pytest.raises(ArgumentError, match="height"):
        fowler_nordheim(1e8, -1.0, 0.2)
    with pytest.raises(ValidityError, match="field"):
        poole_frenkel(1e9, 300.0, 0.5, 5.0, 1.0)
    with pytest.raises(ValidityError, match="field"):
        thermionic(1e10, 300.0, 0.5, 5.0)
    with pytest.raises(ValidityError, match="field"):
        hopping(1e9, 300.0, 0.3, 1e-9, 1.0)
    with pytest.raises(ArgumentError, match="temperature"):
        tunnel_current(trapezoid_profile(BARRIER, 0.1), 0.1, 0.1)
    with pytest.raises(ArgumentError, match="thickness"):
        Barrier(2.0, 2.0, 0.0, 0.2)


@given(st.floats(-3e9, 3e9))
def test_fowler_nordheim_is_odd_and_never_overflows(field: float) -> None:
    current = fowler_nordheim(field, 2.0, 0.2)
    assert np.isfinite(current)
    assert current == -fowler_nordheim(-field, 2.0, 0.2)


def test_thick_barriers_do_not_overflow() -> None:
    thick = Barrier(2.0, 2.2, 200e-9, 1.0)
    assert np.isfinite(gruverman(1.9, thick))
    assert gruverman(1.9, thick) >= 0.0


def test_hops_and_arrhenius() -> None:
    """Ohmic at small fields; exp(q a E / 2 kT) at large ones; the activation energy is read back."""
    assert hopping(2e3, 300.0, 0.28, 1e-9, 1.0) == pytest.approx(
        2.0 * float(hopping(1e3, 300.0, 0.28, 1e-9, 1.0)), rel=1e-4, abs=0.0
    )
    assert hopping(-1e8, 300.0, 0.28, 1e-9, 1.0) == -hopping(1e8, 300.0, 0.28, 1e-9, 1.0)
    rise = float(np.log(hopping(3e8, 300.0, 0.28, 1e-9, 1.0) / hopping(2e8, 300.0, 0.28, 1e-9, 1.0)))
    assert rise == pytest.approx(1e8 * 1e-9 / 2.0 / (8.617333e-5 * 300.0), rel=0.01)
    t = np.array([250.0, 300.0, 400.0])
    current = np.array([[1.0], [5.0]]) * arrhenius(0.28, t)
    np.testing.assert_allclose(activation_energy(t, current), 0.28, rtol=1e-10)
    assert arrhenius(0.28, 300.0) == 1.0
    for bad in ([300.0], [300.0, 300.0], [300.0, 400.0, 500.0]):
        with pytest.raises(ArgumentError, match="temperature"):
            activation_energy(bad, [1.0, 2.0])
    with pytest.raises(ArgumentError, match="current"):
        activation_energy([300.0, 400.0], [1.0, 0.0])
