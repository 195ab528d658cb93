"""Laws of the cells: what the field says of them, and inverses that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.circuit.network.cells import InSeries, Ohmic, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.core.errors import ArgumentError

LAWS = [
    Ohmic(),
    Sinh(0.1),
    Rectifying(0.1, 1e3),
    InSeries(Ohmic(), SeriesResistance(1e5)),
    InSeries(Sinh(0.1), SeriesResistance(1e5)),
    InSeries(Rectifying(0.1, 1e3), SeriesResistance(1e-6)),
    InSeries(Sinh(0.3), Selector(1e-10, 0.05)),
]
conductances = st.floats(1e-14, 1e2)
voltages = st.floats(-5.0, 5.0)


@pytest.mark.parametrize("law", LAWS, ids=repr)
@given(conductance=conductances, voltage=voltages)
def test_currents_are_finite_rise_and_have_the_stated_slope(law, conductance, voltage):
    g = np.array([conductance])
    current, slope = law.current(g, np.array([voltage]))
    assert np.isfinite(current[0])
    assert slope[0] > 0.0
    assert current[0] * voltage >= 0.0
    step = 1e-5 * max(abs(voltage), 1e-3)
    (below, above), _ = law.current(g, np.array([voltage - step, voltage + step]))
    # Central differences are off by (step / V0)^2 / 6 at most, and by rounding of the current over the step.
    assert (above - below) / (2 * step) == pytest.approx(slope[0], rel=1e-6, abs=1e-15 * abs(current[0]) / step)


@given(conductance=conductances, voltage=voltages, resistance=st.floats(1e-6, 1e12), v0=st.floats(0.02, 1.0))
def test_a_sinh_junction_behind_a_resistance_shares_the_voltage(conductance, voltage, resistance, v0):
    current, _ = InSeries(Sinh(v0), SeriesResistance(resistance)).current(np.array([conductance]), np.array([voltage]))
    shared = v0 * np.arcsinh(current / (conductance * v0)) + current * resistance
    assert shared[0] == pytest.approx(voltage, rel=1e-12, abs=1e-300)


@given(conductance=conductances, voltage=voltages, leakage=st.floats(1e-14, 1e-3), ratio=st.floats(1.0, 1e6))
def test_a_rectifying_junction_behind_a_selector_shares_the_voltage(conductance, voltage, leakage, ratio):
    current, _ = InSeries(Rectifying(0.1, ratio), Selector(leakage, 0.05)).current(
        np.array([conductance]), np.array([voltage])
    )
    # Of the junction: with e = e^u, a e - b / e = i + a - b, whose positive root is taken without cancellation.
    a, b = ratio / (1 + ratio), 1 / (1 + ratio)
    i = current[0] / (conductance * 0.1)
    root = np.hypot(i + a - b, 2 * np.sqrt(a * b))
    e = (root + (i + a - b)) / (2 * a) if i + a - b > 0 else 2 * b / (root - (i + a - b))
    shared = 0.1 * np.log(e) + 0.05 * np.arcsinh(current[0] / (leakage * 0.05))
    assert shared == pytest.approx(voltage, rel=1e-9, abs=1e-14)  # e near 1 keeps an absolute error of 1e-16


def test_two_resistors_in_series():
    law = InSeries(Ohmic(), SeriesResistance(1e4))
    g = np.array([[0.0, 1e-9], [1e-4, 10.0]])
    current, slope = law.current(g, np.array(0.5))
    expected = np.array([[0.0, 1 / (1e9 + 1e4)], [1 / 2e4, 1 / (0.1 + 1e4)]])
    np.testing.assert_allclose(slope, expected, rtol=1e-14)
    np.testing.assert_allclose(current, 0.5 * expected, rtol=1e-14)
    np.testing.assert_allclose(law.ohmic_equivalent(g), expected, rtol=1e-14)
    assert InSeries(Sinh(0.1), SeriesResistance(1e4)).ohmic_equivalent(g) is None


def test_rectification_grows_to_its_ratio():
    law = Rectifying(0.1, 1e3)
    assert law.ratio(1e-6) == pytest.approx(1.0, abs=2e-5)  # 1 + b u of two expansions
    assert law.ratio(0.1 * np.log(1e3)) < 510
    assert law.ratio(3.0) == pytest.approx(1e3, rel=1e-6)
    assert law.ratio(-3.0) == law.ratio(3.0)
    even, sinh = Rectifying(0.1, 1.0), Sinh(0.1)
    v = np.linspace(-1, 1, 11)
    np.testing.assert_allclose(even.current(np.ones(11), v)[0], sinh.current(np.ones(11), v)[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_trial_voltages_far_outside_give_numbers(law):
    for parts in law.current(np.array([0.0, 1e-9, 1e-3])[:, None], np.array([-1e4, -100.0, 0.0, 100.0, 1e4])):
        assert np.all(np.isfinite(parts))
        assert np.all(parts[0] == 0.0)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Sinh(0.0), "characteristic_voltage"),
        (lambda: Rectifying(0.1, 0.5), "Exchange rows and columns"),
        (lambda: Rectifying(float("nan"), 2.0), "characteristic_voltage"),
        (lambda: SeriesResistance(-1.0), "resistance"),
        (lambda: Selector(0.0, 0.1), "conductance"),
        (lambda: Rectifying(0.1, 10.0).ratio(0.0), "voltage"),
    ],
)
def test_laws_check_their_numbers(make, says):
    with pytest.raises(ArgumentError, match=says):
        make()
