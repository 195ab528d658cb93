"""Switched fractions by smoothed distribution functions, against adaptive quadrature over the densities."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import beta

from ferrogen.core.errors import ArgumentError
from ferrogen.device.polarization.kinetics import (
    ActivationField,
    GaussianField,
    GeneralizedBetaField,
    LogNormalField,
    kai_fraction,
    lognormal_fraction,
    lorentzian_fraction,
    lorentzian_width,
    merz_time,
    switched_fraction,
)

ATTEMPT = 3.6e-6


def _beta_density(x: float, a: float, b: float, p: float, q: float) -> float:
    return a / b * (x / b) ** (a * p - 1.0) / (beta(p, q) * (1.0 + (x / b) ** a) ** (p + q))


DISTRIBUTIONS: dict[str, tuple[ActivationField, Callable[[float], float]]] = {
    "log-normal": (LogNormalField(1.55e8, 0.33), stats.lognorm(0.33, scale=1.55e8).pdf),
    "narrow": (LogNormalField(1.55e8, 0.05), stats.lognorm(0.05, scale=1.55e8).pdf),
    "gaussian": (GaussianField(1.6e8, 0.5e8), stats.truncnorm(-3.2, np.inf, loc=1.6e8, scale=0.5e8).pdf),
    "beta": (
        GeneralizedBetaField(6.92, 1.67e8, 0.573, 0.725),
        lambda x: _beta_density(x, 6.92, 1.67e8, 0.573, 0.725),
    ),
}


def _by_density(
    density: Callable[[float], float], time: float, field: float, alpha: float, b: float, temperature: float
) -> float:
    """Equation (1.6), integrated over the logarithm of the activation field."""

    def integrand(u: float) -> float:
        activation = 1.55e8 * math.exp(u)
        barrier = (activation / field) ** alpha * 300.0 / temperature
        rate = math.log(time / ATTEMPT) - barrier
        return density(activation) * activation * -math.expm1(-math.exp(min(b * rate, 5.0)))

    step = math.log(field / 1.55e8 * max(math.log(time / ATTEMPT), 0.01) ** (1.0 / alpha))
    points = [-2.0, -1.0, -0.5, -0.15, 0.0, 0.15, 0.5, 1.0, min(max(step, -11.0), 3.9)]
    value, _ = integrate.quad(integrand, -12.0, 4.0, points=sorted(points), limit=500, epsabs=1e-9, epsrel=1e-9)
    return float(value)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("alpha", [1.0, 3.3])
@pytest.mark.parametrize("nucleation", [1.0, 2.0])
def test_activation_fields_against_adaptive_quadrature(name: str, alpha: float, nucleation: float) -> None:
    activation, density = DISTRIBUTIONS[name]
    times, fields, temperature = np.array([3e-8, 1e-5, 1e-3]), np.array([0.5e8, 1.5e8, 3e8]), 350.0
    fractions = switched_fraction(
        times[:, None], -fields, activation, attempt_time=ATTEMPT, field_exponent=alpha,
        nucleation_exponent=nucleation, temperature=temperature,
    )  # fmt: skip
    expected = [[_by_density(density, t, e, alpha, nucleation, temperature) for e in fields] for t in times]
    # The docstring promises 1e-5: panels of six nodes, of which the first one touches a root of the variable.
    np.testing.assert_allclose(fractions, expected, rtol=0.0, atol=1e-5)


def test_large_batches_of_the_beta_distribution_agree_with_exact_calls() -> None:
    field = GeneralizedBetaField(6.92, 1.67e8, 0.573, 0.725)
    x = np.geomspace(1e4, 1e12, 5000)
    exact = np.concatenate([field.below(part) for part in np.split(x, 10)])
    # Cubic with exact slopes on a grid of 0.2: h^4 / 384 times a fourth derivative below 0.1.
    np.testing.assert_allclose(field.below(x), exact, atol=1e-6)


def test_nothing_switches_in_no_time_or_no_field_and_all_in_the_end() -> None:
    law = {"attempt_time": ATTEMPT, "field_exponent": 3.3}
    fractions = switched_fraction([0.0, 1.0, 1e3], [1e8, 0.0, 3e9], LogNormalField(1.5e8, 0.3), **law)
    np.testing.assert_allclose(fractions, [0.0, 0.0, 1.0], atol=1e-9)
    grid = switched_fraction(np.geomspace(1e-9, 1e3, 200), 1.2e8, LogNormalField(1.5e8, 0.3), **law)
    assert np.all(np.diff(grid) >= 0.0)


def test_merz_time_and_its_temperature() -> None:
    law = {"attempt_time": 2e-6, "field_exponent": 2.0}
    assert float(merz_time(1e8, 2e8, **law)) == pytest.approx(2e-6 * math.exp(4.0))
    assert float(merz_time(-1e8, 2e8, temperature=600.0, **law)) == pytest.approx(2e-6 * math.exp(2.0))
    assert float(merz_time(0.0, 2e8, **law)) == math.inf


@pytest.mark.parametrize("width", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("exponent", [1.0, 3.0])
def test_lorentzian_against_adaptive_quadrature(width: float, exponent: float) -> None:
    for decades in (-4.0, -0.3, 0.0, 0.4, 3.0):
        time = 1e-6 * 10.0**decades

        def integrand(angle: float, time: float = time) -> float:
            # log10(t0 / t1) = w tan(angle) turns the Lorentzian into a constant
            ratio = math.log(time / 1e-6) - width * math.tan(angle) * math.log(10.0)
            return -math.expm1(-math.exp(max(min(exponent * ratio, 5.0), -700.0))) / math.pi

        edge = math.atan(decades / width)
        half = math.pi / 2.0
        expected, _ = integrate.quad(integrand, -half, half, points=[edge - 0.02, edge, edge + 0.02], epsabs=1e-9,
                                     limit=500)  # fmt: skip
        # 1e-7: exp(-2 pi) times the weight's decay at a step of a third of the width, and the oracle's own 1e-9.
        assert float(lorentzian_fraction(time, 1e-6, width, exponent)) == pytest.approx(expected, abs=1e-7)
    assert float(lorentzian_fraction(1e-5, 1e-6, width)) == pytest.approx(0.5 + math.atan(1.0 / width) / math.pi)
    # A large exponent tends to the closed form, with a difference of order Euler's constant / n.
    limit = float(lorentzian_fraction(1e-5, 1e-6, width, 300.0))
    assert limit == pytest.approx(0.5 + math.atan(1.0 / width) / math.pi, abs=0.01)


def test_lognormal_times_against_adaptive_quadrature() -> None:
    for time in (1e-8, 1e-6, 3e-5):
        density = stats.norm(math.log(1e-6), 1.5).pdf

        def integrand(u: float, time: float = time, density: Callable[..., float] = density) -> float:
            return float(density(u)) * -math.expm1(-math.exp(min(2.0 * (math.log(time) - u), 5.0)))

        expected, _ = integrate.quad(integrand, math.log(1e-6) - 15.0, math.log(1e-6) + 15.0, epsabs=1e-10, limit=300)
        assert float(lognormal_fraction(time, 1e-6, 1.5, 2.0)) == pytest.approx(expected, abs=1e-8)
    assert float(lognormal_fraction(1e-5, 1e-6, 1.5, math.inf)) == pytest.approx(
        stats.norm.cdf(math.log(10.0) / 1.5), rel=1e-12
    )


def test_kai_is_the_limit_of_a_narrow_distribution() -> None:
    times = np.array([3e-7, 1e-6, 4e-6])
    kai = kai_fraction(times, 1e-6, 2.0)
    np.testing.assert_allclose(kai, 1.0 - np.exp(-((times / 1e-6) ** 2)), rtol=1e-12)
    # second order in the width: (n width)^2 / 2 times a curvature below one
    np.testing.assert_allclose(lognormal_fraction(times, 1e-6, 0.01, 2.0), kai, atol=3e-4)
    np.testing.assert_allclose(lorentzian_width(2e8, 0.1, 1e16), 0.35)


@pytest.mark.parametrize(
    "call",
    [
        lambda: switched_fraction(-1.0, 1e8, LogNormalField(1e8, 0.3), attempt_time=1e-6, field_exponent=1.0),
        lambda: switched_fraction(1.0, np.nan, LogNormalField(1e8, 0.3), attempt_time=1e-6, field_exponent=1.0),
        lambda: switched_fraction(1.0, 1e8, LogNormalField(1e8, 0.3), attempt_time=0.0, field_exponent=1.0),
        lambda: LogNormalField(1e8, 0.0),
        lambda: GaussianField(-1e8, 1e7),
        lambda: GeneralizedBetaField(1.0, 1e8, 0.0, 1.0),
        lambda: kai_fraction(1.0, 0.0, 1.0),
        lambda: lorentzian_fraction(1.0, 1.0, 1e-5, 1.0),
        lambda: lognormal_fraction(0.0, 1.0, 1.0),
        lambda: lorentzian_width(0.0, 0.1, 1.0),
        lambda: merz_time(1e8, 1e8, attempt_time=1e-6, field_exponent=1.0, temperature=0.0),
    ],
)
def test_what_cannot_be_used_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ArgumentError):
        call()
