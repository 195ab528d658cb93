"""Drawn junctions: marginals, correlations and stuck shares against closed forms."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard
from ferrogen.device.variability.draw import JunctionDraw, draw_cycles, draw_junctions, lognormal_correlation

CELLS = 20_000
RHO, ON_WIDTH, OFF_WIDTH = 0.7, 0.3, 0.5


def item(value: float, unit: str, kind: str = "", distribution: str = "", width: float = 0.0) -> dict[str, Any]:
    out: dict[str, Any] = {"value": value, "unit": unit, "status": "assumed", "source": "none"}
    if kind:
        out["spread"] = {"kind": kind, "distribution": distribution, "value": width}
    return out


@pytest.fixture(scope="module")
def card() -> DeviceCard:
    text = (resources.files("ferrogen.device") / "cards" / "hzo-mfis-nor.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    raw["on_conductance"] = item(20e-9, "S", "d2d", "lognormal", ON_WIDTH)
    raw["off_conductance"] = item(0.4e-9, "S", "d2d", "lognormal", OFF_WIDTH)
    raw["switching"] = {
        "remanent_polarization": item(0.24, "C/m^2", "d2d", "normal", 0.02),
        "activation_field": item(1.5e8, "V/m", "domain", "lognormal", 0.3),
        "attempt_time": item(3.6e-6, "s"),
        "field_exponent": item(3.3, "1"),
        "nucleation_exponent": item(1.0, "1"),
        "local_bias_field": item(0.0, "V/m", "domain", "normal", 2e7),
        "domain_area": item(1e-16, "m^2"),
    }
    raw["variability"] = {
        "on_off_correlation": item(RHO, "1"),
        "on_polarization_correlation": item(0.5, "1"),
        "off_polarization_correlation": item(-0.1, "1"),
        "activation_scale": item(1.0, "1", "d2d", "lognormal", 0.03),
        "bias_shift": item(0.0, "V/m", "d2d", "normal", 5e6),
        "cycle_scale": item(1.0, "1", "c2c", "lognormal", 0.05),
        "cycle_correlation": item(0.6, "1"),
        "stuck_on_share": item(0.02, "1"),
        "stuck_off_share": item(0.05, "1"),
    }
    return DeviceCard.model_validate(raw)


@pytest.fixture(scope="module")
def drawn(card: DeviceCard) -> JunctionDraw:
    return draw_junctions(card, CELLS, Streams(31).generator(Purpose.VARIABILITY))


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("on_conductance", stats.lognorm(ON_WIDTH, scale=20e-9)),
        ("off_conductance", stats.lognorm(OFF_WIDTH, scale=0.4e-9)),
        ("switching.remanent_polarization", stats.norm(0.24, 0.02)),
        ("variability.activation_scale", stats.lognorm(0.03)),
        ("variability.bias_shift", stats.norm(0.0, 5e6)),
    ],
)
def test_marginals(drawn: JunctionDraw, name: str, law: Any) -> None:
    assert stats.kstest(drawn.values[name], law.cdf).pvalue > 1e-3 / 5


def test_correlations(drawn: JunctionDraw, z_limit: Callable[[int], float]) -> None:
    logs = np.array(
        [
            np.log(drawn.values["on_conductance"]),
            np.log(drawn.values["off_conductance"]),
            drawn.values["switching.remanent_polarization"],
            np.log(drawn.values["variability.activation_scale"]),
            drawn.values["variability.bias_shift"],
        ]
    )
    expected = np.eye(5)
    for i, j, value in ((0, 1, RHO), (0, 2, 0.5), (1, 2, -0.1)):
        expected[i, j] = expected[j, i] = value
    # Fisher's z of a normal correlation has the standard error 1 / sqrt(n - 3).
    upper = np.triu_indices(5, 1)
    z = (np.arctanh(np.corrcoef(logs)[upper]) - np.arctanh(expected[upper])) * math.sqrt(CELLS - 3)
    assert np.abs(z).max() < z_limit(10)


def test_correlation_of_the_conductances_themselves(drawn: JunctionDraw) -> None:
    closed = lognormal_correlation(ON_WIDTH, OFF_WIDTH, RHO)
    # By quadrature over both normal numbers, written down anew.
    mean_on, mean_off = math.exp(ON_WIDTH**2 / 2), math.exp(OFF_WIDTH**2 / 2)

    def product(z: float) -> float:
        inner = math.exp(OFF_WIDTH * RHO * z + OFF_WIDTH**2 * (1 - RHO**2) / 2)
        return math.exp(ON_WIDTH * z) * inner * float(stats.norm.pdf(z))

    covariance = integrate.quad(product, -12.0, 12.0)[0] - mean_on * mean_off
    deviations = math.sqrt((math.exp(ON_WIDTH**2) - 1) * (math.exp(OFF_WIDTH**2) - 1)) * mean_on * mean_off
    assert closed == pytest.approx(covariance / deviations, rel=1e-9)
    found = np.corrcoef(drawn.values["on_conductance"], drawn.values["off_conductance"])[0, 1]
    # Heavier tails than normal: the scatter of the estimate over seeds is 0.007; four times that.
    assert found == pytest.approx(closed, abs=0.03)
    assert abs(closed - RHO) > 0.01


def test_stuck_shares(drawn: JunctionDraw, z_limit: Callable[[int], float]) -> None:
    for mask, share in ((drawn.stuck_on, 0.02), (drawn.stuck_off, 0.05)):
        assert abs(mask.mean() - share) < z_limit(2) * math.sqrt(share * (1 - share) / CELLS)


def test_cycles_are_a_stationary_autoregression(card: DeviceCard, z_limit: Callable[[int], float]) -> None:
    z = np.log(draw_cycles(card, 4000, 12, Streams(32).generator(Purpose.VARIABILITY))) / 0.05
    limit = z_limit(6)
    for cycle in (0, 5, 11):
        assert abs(np.var(z[:, cycle]) - 1.0) < limit * math.sqrt(2 / 4000)
    for lag in (1, 2, 4):
        found = np.corrcoef(z[:, 3], z[:, 3 + lag])[0, 1]
        assert abs(np.arctanh(found) - np.arctanh(0.6**lag)) < limit / math.sqrt(4000 - 3)
