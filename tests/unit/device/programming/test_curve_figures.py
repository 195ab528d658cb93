from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError
from ferrogen.device.programming.figures import (
    curvature_of_label,
    effective_states,
    exponential_curve,
    label_of_curvature,
    linearity,
    nonlinearity,
    programming_figures,
)


@pytest.mark.parametrize(("label", "published"), [(0.5, 2.519877), (1.0, 1.251653), (2.0, 0.609035)])
def test_labels_are_those_of_neurosim(label: float, published: float) -> None:
    """Three points of the table that NeuroSim publishes (A over the number of pulses), given there to six digits."""
    assert 1.0 / curvature_of_label(label) == pytest.approx(published, abs=1e-6)
    assert label_of_curvature(1.0 / published) == pytest.approx(label, abs=1e-5)


@given(st.floats(-9.5, 9.5))
def test_label_and_curvature_are_inverse(label: float) -> None:
    assert label_of_curvature(curvature_of_label(label)) == pytest.approx(label, abs=1e-6)


def test_label_goes_smoothly_through_straight() -> None:
    c = np.array([-2e-3, -1e-3 * 1.0001, -1e-3 * 0.9999, 0.0, 0.9999e-3, 1.0001e-3, 2e-3])
    labels = np.array([label_of_curvature(float(x)) for x in c])
    np.testing.assert_allclose(labels, c / 8.0 / (0.07 * np.sqrt(2.0)), rtol=1e-6, atol=1e-12)


@given(st.floats(-30.0, 30.0), st.floats(1e-9, 1e-6), st.floats(1e-9, 1e-6))
def test_fit_finds_the_curve_it_was_given(curvature: float, low: float, span: float) -> None:
    found = nonlinearity(low + span * exponential_curve(curvature, 65))
    assert found.label == pytest.approx(label_of_curvature(curvature), abs=2e-4)
    assert found.residual < 1e-5


def test_fit_of_noisy_curve_is_near_and_says_how_good_it_is() -> None:
    noise = 0.01 * np.random.default_rng(1).standard_normal(129)
    found = nonlinearity(exponential_curve(3.0, 129) + noise)
    assert found.curvature == pytest.approx(3.0, rel=0.1)
    assert 0.007 < found.residual < 0.03


def test_depression_that_retraces_has_the_same_label() -> None:
    up = 1.0 + exponential_curve(4.0, 64)
    same = programming_figures(up, up[::-1], 0.01)
    assert same.asymmetry == pytest.approx(0.0, abs=1e-6)
    assert same.dynamic_range == pytest.approx(2.0)
    # Fast then slow in both directions, as junctions are: labels of opposite sign.
    usual = programming_figures(up, 2.0 - exponential_curve(6.0, 64), 0.01)
    assert usual.potentiation_label > 0.0 > usual.depression_label
    expected = label_of_curvature(4.0) + label_of_curvature(6.0)
    assert usual.asymmetry == pytest.approx(expected, abs=1e-4)


def test_straight_line_is_straight() -> None:
    for line in (np.linspace(1.0, 5.0, 20), np.linspace(5.0, 1.0, 20)):
        found = linearity(line)
        assert found.largest_deviation == pytest.approx(0.0, abs=1e-12)
        assert found.r_squared == pytest.approx(1.0)
        assert nonlinearity(line).label == pytest.approx(0.0, abs=1e-5)


def test_deviation_of_a_step() -> None:
    curve = np.array([0.0, 1.0, 1.0, 1.0, 1.0])
    assert linearity(curve).largest_deviation == pytest.approx(0.75)


def test_effective_states_count_steps_that_are_wide_enough() -> None:
    assert effective_states(np.linspace(0.0, 1.0, 11), 0.1) == 11
    assert effective_states(np.linspace(0.0, 1.0, 101), 0.1) == 11
    assert effective_states(np.linspace(1.0, 0.0, 11), 0.11) == 6
    assert effective_states([0.0, 0.9, 0.95, 1.0], 0.1) == 3


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: linearity([1.0, 2.0]), "curve"),
        (lambda: linearity([1.0, np.nan, 2.0]), "curve"),
        (lambda: linearity([1.0, 2.0, 1.0]), "curve"),
        (lambda: effective_states([1.0, 2.0, 3.0], 0.0), "least_step"),
        (lambda: curvature_of_label(10.5), "label"),
        (lambda: label_of_curvature(float("inf")), "curvature"),
        (lambda: exponential_curve(float("nan"), 5), "curvature"),
        (lambda: programming_figures([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.1), "depression"),
        (lambda: programming_figures([0.0, 2.0, 3.0], [3.0, 2.0, 1.0], 0.1), "potentiation"),
    ],
)
def test_bad_curves_are_refused_by_name(call: object, name: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        call()  # type: ignore[operator]
