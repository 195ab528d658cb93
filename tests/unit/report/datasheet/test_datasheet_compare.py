from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.core.errors import ArgumentError
from ferrogen.report.datasheet.compare import difference
from ferrogen.report.datasheet.page import Axis, Curve, Plot, curve


def plot(*, x_log: bool = False, y_log: bool = False) -> Plot:
    return Plot("p", "", "", Axis("x", "s", x_log), Axis("y", "V", y_log), ())


def test_curves_on_the_same_abscissae_are_compared_point_by_point() -> None:
    x = np.array([0.0, 1.0, 0.5, -1.0])
    found = difference(plot(), [curve("a", x, x)], [curve("a", x, x + np.array([3.0, -4.0, 0.0, 0.0]))])
    assert found is not None
    assert found.value == pytest.approx(2.5)  # sqrt((9 + 16) / 4)
    assert (found.unit, found.points, found.curves) == ("V", 4, 1)


def test_only_the_overlap_counts_and_labels_decide() -> None:
    first = [curve("a", [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]), curve("b", [0.0, 1.0], [0.0, 0.0])]
    second = [curve("a", [1.5, 3.5], [2.0, 4.0]), curve("c", [0.0, 1.0], [9.0, 9.0])]
    found = difference(plot(), first, second)
    assert found is not None
    assert (found.value, found.points, found.curves) == (pytest.approx(0.5), 2, 1)
    assert difference(plot(), first, [curve("a", [7.0, 8.0], [0.0, 0.0])]) is None
    assert difference(plot(), first, []) is None


def test_a_logarithmic_axis_counts_decades_and_leaves_out_what_has_no_logarithm() -> None:
    x = np.array([1.0, 10.0, 100.0])
    found = difference(
        plot(x_log=True, y_log=True), [curve("a", x, [1.0, 1.0, 0.0])], [curve("a", x, [10.0, 0.1, 5.0])]
    )
    assert found is not None
    assert (found.value, found.unit, found.points) == (pytest.approx(1.0), "decades", 2)


def test_power_laws_are_read_between_points_on_logarithmic_axes() -> None:
    x, at = np.geomspace(1.0, 1e4, 9), np.geomspace(3.0, 3e3, 5)
    found = difference(plot(x_log=True, y_log=True), [curve("a", at, at**-2.0)], [curve("a", x, x**-2.0)])
    assert found is not None
    assert found.value == pytest.approx(0.0, abs=1e-12)


def test_a_loop_is_compared_branch_by_branch() -> None:
    def loop(points: int, lift: float) -> Curve:
        up, down = np.linspace(-1.0, 1.0, points), np.linspace(1.0, -1.0, points)
        return curve("loop", np.concatenate([up, down[1:]]), np.concatenate([up - 5.0, down[1:] + 5.0 + lift]))

    same = difference(plot(), [loop(21, 0.0)], [loop(33, 0.0)])
    assert same is not None
    # Were the branches mixed up, the difference would be about 10. At the corner the branches share a point.
    assert same.value < 1.0
    lifted = difference(plot(), [loop(21, 0.0)], [loop(33, 2.0)])
    assert lifted is not None
    assert lifted.value == pytest.approx(math.sqrt(2.0), rel=0.15)  # 2 on one branch of two


def test_a_curve_of_unequal_lengths_is_refused() -> None:
    with pytest.raises(ArgumentError, match="long as"):
        curve("a", [0.0, 1.0], [0.0])


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12),
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12),
    st.booleans(),
    st.booleans(),
)
def test_whatever_the_curves_the_difference_is_a_number_or_none(
    first: list[float], second: list[float], x_log: bool, y_log: bool
) -> None:
    one, two = (curve("a", values, values[::-1]) for values in (first, second))
    found = difference(plot(x_log=x_log, y_log=y_log), [one], [two])
    assert found is None or (math.isfinite(found.value) and found.value >= 0.0 and found.points >= 2)
    itself = difference(plot(x_log=x_log, y_log=y_log), [one], [one])
    assert itself is None or itself.value == 0.0
