"""Landau-Khalatnikov against scipy's stiff solver, the cubic's roots, and the linearised equation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize

from ferrogen.core.errors import ArgumentError, CardError, FerrogenError
from ferrogen.device.parameter import Parameter
from ferrogen.device.polarization.landau import (
    LandauParameters,
    equilibria,
    follow_landau,
    landau_parameters,
    relaxation_rate,
    static_field,
)
from ferrogen.device.polarization.spec import HysteresisSpec
from ferrogen.device.waveforms import triangle

PARAMETERS = LandauParameters(0.2, 1e8, viscosity=50.0, bias_field=0.05e8)


def test_coefficients_are_those_of_the_dossier() -> None:
    """E_c = 1 MV/cm and P_r = 20 uC/cm^2 give a = -6.5e8 m/F, b = 8.1e9 m^5/(F C^2) (device dossier, 1.6)."""
    assert PARAMETERS.linear_coefficient == pytest.approx(-6.5e8, rel=0.01)
    assert PARAMETERS.cubic_coefficient == pytest.approx(8.1e9, rel=0.01)


def test_wells_and_coercive_field_are_where_they_were_asked_to_be() -> None:
    p = np.linspace(-0.3, 0.3, 100001)
    curve = static_field(PARAMETERS, p) - 0.05e8
    inside = np.abs(p) < 0.2
    assert curve[inside].max() == pytest.approx(1e8, rel=1e-8)
    assert curve[inside].min() == pytest.approx(-1e8, rel=1e-8)
    np.testing.assert_allclose(static_field(PARAMETERS, [-0.2, 0.0, 0.2]), 0.05e8, rtol=1e-6)
    slope = optimize.approx_fprime(np.array([0.2]), lambda q: float(static_field(PARAMETERS, q)[0]), 1e-7)
    # One-sided difference: relative error of the step times curvature over slope, 1e-6.
    assert float(relaxation_rate(PARAMETERS, 0.2)) == pytest.approx(slope[0] / 50.0, rel=1e-5)


@pytest.mark.parametrize("field", [-3e8, -0.9e8, 0.0, 0.05e8, 0.6e8, 1.04e8, 1.06e8, 40e8])
def test_equilibria_are_the_roots_of_the_cubic(field: float) -> None:
    a, b = PARAMETERS.linear_coefficient, PARAMETERS.cubic_coefficient
    roots = np.roots([4.0 * b, 0.0, 2.0 * a, 0.05e8 - field])
    real = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
    # Companion-matrix roots of a nearly double root carry the square root of rounding.
    np.testing.assert_allclose(equilibria(PARAMETERS, field), real, atol=1e-8)


def test_integrator_against_a_stiff_solver() -> None:
    random = np.random.default_rng(1)
    fields = random.uniform(-2.5e8, 2.5e8, 12)
    durations = 10.0 ** random.uniform(-1.0, 1.5, 12) * PARAMETERS.time_unit
    out, last = follow_landau(PARAMETERS, [-0.2], fields, durations, tolerance=1e-10)
    now, expected = -0.2, []
    for field, duration in zip(fields, durations, strict=True):
        solution = integrate.solve_ivp(
            lambda t, p, e=field: (e - static_field(PARAMETERS, p)) / 50.0, (0.0, duration), [now],
            method="Radau", rtol=1e-11, atol=1e-13,
        )  # fmt: skip
        now = float(solution.y[0, -1])
        expected.append(now)
    # The step control keeps each step's error at 1e-10; a few hundred steps, some amplified while crossing the barrier.
    np.testing.assert_allclose(out[0], expected, atol=2e-7 * 0.2)
    assert last[0] == out[0, -1]


def test_errors_follow_the_tolerance_and_wells_hold() -> None:
    fine, _ = follow_landau(PARAMETERS, -0.2, [1.3e8], [4.0 * PARAMETERS.time_unit], tolerance=1e-12)
    errors = [
        abs(follow_landau(PARAMETERS, -0.2, [1.3e8], [4.0 * PARAMETERS.time_unit], tolerance=t)[0] - fine)[0, 0]
        for t in (1e-4, 1e-6, 1e-8)
    ]
    assert errors[0] > 10.0 * errors[1] > 100.0 * errors[2]
    still, _ = follow_landau(PARAMETERS, [-0.2, 0.2], np.full(3, 0.05e8), np.array([1e-12, 1.0, 1e9]))
    np.testing.assert_allclose(still, [[-0.2] * 3, [0.2] * 3], rtol=1e-9)


def test_small_deviations_decay_at_the_linearised_rate() -> None:
    for field in (0.05e8, 0.7e8):
        rest = equilibria(PARAMETERS, field)[-1]
        rate = float(relaxation_rate(PARAMETERS, rest))
        out, _ = follow_landau(PARAMETERS, rest + 1e-6, np.full(20, field), np.full(20, 0.1 / rate), tolerance=1e-12)
        expected = 1e-6 * np.exp(-0.1 * np.arange(1, 21))
        # Second order: the deviation over P_r, 5e-6, times a curvature of about one.
        np.testing.assert_allclose(out[0] - rest, expected, rtol=5e-5)


def test_coercive_field_grows_with_frequency_from_the_intrinsic_one() -> None:
    crossings = []
    for frequency in (1e-5, 1e-3, 1e-2):
        wave = triangle(3e8, frequency / PARAMETERS.time_unit, cycles=2, steps_per_cycle=8000)
        out, _ = follow_landau(PARAMETERS, -0.2, wave.voltages, wave.durations)
        rising = slice(8000, 10000)
        crossings.append(float(np.interp(0.0, out[0, rising], wave.voltages[rising])))
    assert crossings[0] < crossings[1] < crossings[2]
    # At 1e-5 the delay at the vanished well, (rate)^(2/3), shifts it by a percent or so.
    assert crossings[0] == pytest.approx(1.05e8, rel=0.03)


def _spec(**more: Parameter) -> HysteresisSpec:
    def item(value: float, unit: str) -> Parameter:
        return Parameter(value=value, unit=unit, status="assumed", source="none")

    return HysteresisSpec(
        saturation_polarization=item(0.3, "C/m^2"),
        remanent_polarization=item(0.24, "C/m^2"),
        coercive_field=item(1.2e8, "V/m"),
        bias_field=item(1e6, "V/m"),
        relaxation_time=item(1e-9, "s"),
        **more,
    )


def test_parameters_come_from_a_card() -> None:
    viscosity = Parameter(value=30.0, unit="Ohm m", status="assumed", source="none")
    assert landau_parameters(_spec(viscosity=viscosity)) == LandauParameters(0.24, 1.2e8, 30.0, 1e6)
    intrinsic = Parameter(value=4e8, unit="V/m", status="assumed", source="none")
    with_both = _spec(viscosity=viscosity, intrinsic_coercive_field=intrinsic)
    assert landau_parameters(with_both).coercive_field == 4e8
    with pytest.raises(CardError, match="viscosity"):
        landau_parameters(_spec())


@settings(max_examples=60, deadline=None)
@given(st.floats(), st.floats(), st.floats())
def test_any_number_gives_a_finite_polarization_or_a_typed_error(start: float, field: float, duration: float) -> None:
    with np.errstate(over="ignore"):
        try:
            out, _ = follow_landau(PARAMETERS, start, [field], [duration])
        except FerrogenError:
            return
    rest = max(abs(p) for p in equilibria(PARAMETERS, field))
    assert abs(out[0, 0]) <= max(abs(start), rest) * (1.0 + 1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: LandauParameters(0.0, 1e8, 1.0),
        lambda: LandauParameters(0.2, 1e8, -1.0),
        lambda: LandauParameters(0.2, 1e8, 1.0, math.inf),
        lambda: follow_landau(PARAMETERS, [0.1, 0.2], np.zeros((3, 1)), [1.0]),
        lambda: follow_landau(PARAMETERS, 0.1, [1e8], [0.0]),
        lambda: follow_landau(PARAMETERS, 0.1, [1e30], [1.0]),
        lambda: follow_landau(PARAMETERS, np.nan, [1e8], [1.0]),
        lambda: follow_landau(PARAMETERS, 0.1, [1e8], [1.0], tolerance=0.0),
        lambda: equilibria(PARAMETERS, math.nan),
    ],
)
def test_what_cannot_be_used_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ArgumentError):
        call()
