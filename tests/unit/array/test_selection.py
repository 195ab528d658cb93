"""Half-select schemes against line voltages written down, sneak paths against the network solver."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.array.selection import (
    SCHEMES,
    Scheme,
    check_scheme,
    class_voltages,
    floating_read,
    nonlinearity,
    program_bias,
    read_bias,
)
from ferrogen.array.topology import NOR, Crosspoint, Topology
from ferrogen.circuit.network.build import array_network
from ferrogen.circuit.network.network import drive
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.errors import ArgumentError


def test_line_voltages_written_down() -> None:
    # 3 x 4 array, cell (1, 2), 3 V.
    cross = Crosspoint()
    half = program_bias("half", 3, 4, 1, 2, 3.0).cells(cross)
    np.testing.assert_allclose(half, [[0, 0, 1.5, 0], [1.5, 1.5, 3, 1.5], [0, 0, 1.5, 0]])
    third = program_bias("third", 3, 4, 1, 2, 3.0).cells(cross)
    np.testing.assert_allclose(third, [[-1, -1, 1, -1], [1, 1, 3, 1], [-1, -1, 1, -1]])
    inhibit = program_bias("inhibit", 3, 4, 1, 2, 3.0)
    np.testing.assert_array_equal(inhibit.connected, [False, True, False])
    np.testing.assert_allclose(inhibit.cells(NOR(coupled_share=0.1)), [
        [-0.3, -0.3, 0, -0.3], [0, 0, 3, 0], [-0.3, -0.3, 0, -0.3]])  # fmt: skip
    leaky = inhibit.cells(NOR(access_leakage=1e-12), conductance=9e-12)
    assert leaky[0, 0] == pytest.approx(-0.3)
    read = read_bias(cross, 3, 4, 1, 0.1).cells(cross)
    np.testing.assert_allclose(read, [[0] * 4, [0.1] * 4, [0] * 4])
    floating = read_bias(cross, 3, 4, 1, 0.1, floating=True, column=2)
    np.testing.assert_array_equal(np.isnan(floating.columns), [True, True, False, True])
    np.testing.assert_array_equal(np.isnan(floating.cells(cross))[1], [True, True, False, True])
    assert floating.cells(cross)[1, 2] == pytest.approx(0.1)


@given(
    scheme=st.sampled_from(SCHEMES),
    shape=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    place=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    voltage=st.floats(-6.0, 6.0),
)
def test_classes_and_lines_say_the_same(
    scheme: Scheme, shape: tuple[int, int], place: tuple[int, int], voltage: float
) -> None:
    rows, columns = shape
    row, column = place[0] % rows, place[1] % columns
    topology: Topology = NOR(coupled_share=0.25) if scheme == "inhibit" else Crosspoint()
    seen = program_bias(scheme, rows, columns, row, column, voltage).cells(topology)
    classes = class_voltages(scheme, voltage)
    share = 0.25 if classes.neither_isolated else 1.0
    expected = np.full(shape, classes.neither * share)
    expected[row, :] = classes.same_row
    expected[:, column] = classes.same_column * share
    expected[row, column] = classes.selected
    np.testing.assert_allclose(seen, expected, atol=1e-15)


def test_nonlinearity_is_the_closed_form() -> None:
    for voltage in (0.1, 1.0, 5.0):
        assert nonlinearity(voltage, 0.25) == pytest.approx(2.0 * math.cosh(voltage / 0.5), rel=1e-12)
        third = nonlinearity(voltage, 0.25, 3.0)
        assert third == pytest.approx(3.0 + 4.0 * math.sinh(voltage / 0.75) ** 2, rel=1e-12)  # sinh 3x / sinh x
    assert nonlinearity(1.0, 0.25) == pytest.approx(7.5, abs=0.05)  # device reference, section 7
    with pytest.raises(ArgumentError, match="600 V0"):
        nonlinearity(1.0, 1e-3)


@pytest.mark.parametrize("v0", [0.1, 0.4, math.inf])
def test_floating_lines_are_those_of_the_network(v0: float) -> None:
    rows, columns, voltage, g = 4, 6, 0.5, 10e-9
    sneak = floating_read(rows, columns, voltage, v0)
    assert sneak.same_row + sneak.same_column - sneak.neither == pytest.approx(voltage, rel=1e-12)
    network = array_network(
        Crosspoint(), np.full((rows, columns), g), characteristic_voltage=None if math.isinf(v0) else v0,
        row_segment=1e-2, column_segment=1e-2,
        row_left=None, column_bottom=None,
    )  # fmt: skip
    left, bottom = network.row_left.copy(), network.column_bottom.copy()
    left[1:], bottom[:-1] = np.inf, np.inf
    floating = type(network)(
        network.conductance, network.row_segments, network.column_segments, left, network.row_right,
        network.column_top, bottom, network.law,
    )  # fmt: skip
    top = np.zeros(rows)
    top[0] = voltage
    solution = solve(floating, drive(floating, left=top)).checked()
    assert solution.row_voltage is not None
    assert solution.column_voltage is not None
    across = (solution.row_voltage - solution.column_voltage)[:, :, 0]
    np.testing.assert_allclose(across[0, :-1], sneak.same_row, rtol=1e-6)
    np.testing.assert_allclose(across[1:, -1], sneak.same_column, rtol=1e-6)
    np.testing.assert_allclose(across[1:, :-1], sneak.neither, rtol=1e-6)
    shape = voltage if math.isinf(v0) else v0 * math.sinh(voltage / v0)
    total = -solution.bottom_current[-1, 0]
    assert total / (g * shape) - 1.0 == pytest.approx(sneak.sneak_ratio, rel=1e-6)


def test_a_steeper_law_sneaks_less() -> None:
    ratios = [floating_read(64, 64, 0.5, v0).sneak_ratio for v0 in (0.05, 0.2, 0.4, math.inf)]
    assert ratios == sorted(ratios)
    assert ratios[-1] == pytest.approx(63.0 / (2.0 + 1.0 / 63.0))  # two sides of 63 and 63^2 in series


def test_schemes_fit_topologies() -> None:
    check_scheme("half", Crosspoint())
    check_scheme("inhibit", NOR())
    for scheme, topology in (("half", NOR()), ("inhibit", Crosspoint()), ("quarter", NOR())):
        with pytest.raises(ArgumentError, match="scheme"):
            check_scheme(scheme, topology)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="row"):
        program_bias("half", 3, 4, 3, 0, 1.0)
    with pytest.raises(ArgumentError, match="scheme"):
        class_voltages("quarter", 1.0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="voltage"):
        class_voltages("half", math.nan)
    with pytest.raises(ArgumentError, match="characteristic_voltage"):
        floating_read(3, 3, 1.0, -1.0)
