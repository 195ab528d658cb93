"""Wire solvers against networks whose answers are known in closed form, and against laws that every network obeys.

Tolerances are 1e-9 of the largest current, what the solvers are asked for, unless wires that the closed form takes to
be ideal add their own share.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from ferrogen.circuit.network.cells import Ohmic, Sinh
from ferrogen.circuit.network.network import Bridge, Network, drive, uniform_network
from ferrogen.circuit.solvers.solve import solve

methods = pytest.mark.parametrize("method", ["lines", "direct"])


def ladder(cells: int, series: float, shunt: float, right: float = np.inf) -> Network:
    """One row line with a resistor to ground at every node: a cell of half the resistance, and its column's end."""
    return uniform_network(
        np.full((1, cells), 2.0 / shunt),
        row_segment=series,
        column_segment=1.0,
        column_bottom=0.5 * shunt,
        row_right=right,
    )


@methods
@pytest.mark.parametrize(("series", "shunt"), [(1.0, 1.0), (2.0, 1e6), (1e-6, 1e9), (1e3, 1.0), (5.0, 300.0)])
def test_an_open_line_falls_as_a_discrete_cosh(method, series, shunt):
    n = 37
    network = ladder(n, series, shunt)
    found = solve(network, drive(network, left=0.7), method=method, tolerance=1e-12).checked()
    # V[k-1] - 2 V[k] + V[k+1] = (series / shunt) V[k]; no current leaves the last node: cosh about half a node beyond.
    angle = 2.0 * math.asinh(0.5 * math.sqrt(series / shunt))
    k = np.arange(n)
    logarithm = np.log(np.cosh((n - k - 0.5) * angle)) - math.log(math.cosh((n + 0.5) * angle))
    np.testing.assert_allclose(found.row_voltage[0, :, 0], 0.7 * np.exp(logarithm), rtol=1e-9, atol=1e-11)


@methods
def test_a_line_grounded_at_its_far_end_falls_as_a_discrete_sinh(method):
    n, series, shunt = 24, 3.0, 200.0
    network = ladder(n, series, shunt, right=series)
    found = solve(network, drive(network, left=-0.4), method=method, tolerance=1e-12).checked()
    angle = 2.0 * math.asinh(0.5 * math.sqrt(series / shunt))
    k = np.arange(n)
    expected = -0.4 * np.sinh((n - k) * angle) / math.sinh((n + 1) * angle)
    np.testing.assert_allclose(found.row_voltage[0, :, 0], expected, rtol=1e-9)


@methods
def test_a_line_driven_at_both_ends_is_symmetric(method):
    n, series, shunt = 25, 3.0, 200.0
    network = ladder(n, series, shunt, right=series)
    found = solve(network, drive(network, left=0.4, right=0.4), method=method, tolerance=1e-12).checked()
    angle = 2.0 * math.asinh(0.5 * math.sqrt(series / shunt))
    expected = 0.4 * np.cosh((np.arange(n) - 12) * angle) / math.cosh(13 * angle)
    np.testing.assert_allclose(found.row_voltage[0, :, 0], expected, rtol=1e-9)
    np.testing.assert_allclose(found.left_current, found.right_current, rtol=1e-9)


@methods
@pytest.mark.parametrize("sections", [1, 2, 5, 20])
def test_ladders_of_equal_resistors_have_fibonacci_ratios(method, sections):
    network = ladder(sections, 1.0, 1.0)
    found = solve(network, drive(network, left=1.0), method=method, tolerance=1e-12).checked()
    fibonacci = [1, 1]
    while len(fibonacci) <= 2 * sections + 1:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    resistance = fibonacci[2 * sections] / fibonacci[2 * sections - 1]
    assert 1.0 / found.left_current[0, 0] == pytest.approx(resistance, rel=1e-12)
    if sections == 20:
        assert resistance == pytest.approx((1 + math.sqrt(5)) / 2, rel=1e-15)


@pytest.mark.parametrize(
    ("side", "line", "expected"),
    [("row_right", 0, 7 / 12), ("row_right", 1, 3 / 4), ("row_left", 1, 5 / 6), ("column_top", 0, 7 / 12)],
)
def test_the_resistor_cube(side, line, expected):
    # An array of 2 x 2 is a ring of eight nodes; four bridges make it the cube: edge, face and space diagonals.
    bridges = [
        (("row", 0, 0), ("column", 1, 1)),
        (("row", 0, 1), ("column", 1, 0)),
        (("column", 0, 1), ("row", 1, 0)),
        (("row", 1, 1), ("column", 0, 0)),
    ]
    network = uniform_network(
        np.ones((2, 2)), row_segment=1.0, column_segment=1.0, row_left=np.inf, column_bottom=np.inf,
        bridges=tuple(Bridge(*ends, 1.0) for ends in bridges),
    )  # fmt: skip
    network.row_left[0] = 0.25
    getattr(network, side)[line] = 0.25
    found = solve(network, drive(network, left=[1.0, 0.0])).checked()
    assert 1.0 / found.left_current[0, 0] == pytest.approx(0.5 + expected, rel=1e-12)
    assert found.method == "direct"


@methods
def test_a_ring_of_eight(method):
    network = uniform_network(
        np.full((2, 2), 1e-3), row_segment=1e3, column_segment=1e3, row_left=np.inf, column_bottom=np.inf
    )
    network.row_left[:] = 500.0  # their nodes are three apart: 3 * 5 / 8
    found = solve(network, drive(network, left=[1.0, 0.0]), method=method).checked()
    assert 1.0 / found.left_current[0, 0] == pytest.approx(1e3 * (1.0 + 15 / 8), rel=1e-9)


@methods
@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 7), (20, 12)])
def test_sneak_paths_of_a_floating_array(method, rows, columns):
    g, wire = 1e-6, 1e-3
    network = uniform_network(np.full((rows, columns), g), row_segment=wire, column_segment=wire)
    network.row_left[1:] = network.column_bottom[1:] = np.inf
    found = solve(network, drive(network, left=1.0), method=method).checked()
    # Cells of the selected row, all cells of neither line, cells of the selected column: three groups in series.
    sneak = 1.0 / (1.0 / (columns - 1) + 1.0 / ((rows - 1) * (columns - 1)) + 1.0 / (rows - 1))
    # The wires' share is below wire * g * (cells of a line) * (length of a line).
    assert -found.bottom_current[0, 0] == pytest.approx(g * (1.0 + sneak), rel=wire * g * (rows + columns) ** 2)


@methods
@pytest.mark.parametrize("voltage", [1e-6, 0.1, 2.0, -5.0])
@pytest.mark.parametrize("resistance", [1e-6, 1e3, 1e7])
def test_one_sinh_cell_behind_its_wires(method, voltage, resistance):
    network = uniform_network([[1e-5]], row_segment=resistance, column_segment=resistance, law=Sinh(0.1))
    found = solve(network, drive(network, left=voltage), method=method, tolerance=1e-13).checked()
    current = float(found.left_current[0, 0])
    shared = 2.0 * resistance * current + 0.1 * math.asinh(current / (1e-5 * 0.1))
    assert shared == pytest.approx(voltage, rel=1e-11)


def scattered(rng: np.random.Generator, rows: int, columns: int, law=None, bridges=()) -> Network:
    def some(*shape: int) -> np.ndarray:
        return 10.0 ** rng.uniform(0, 3, shape)

    return Network(
        conductance=1.0 / some(rows, columns) / 100.0,
        row_segments=some(rows, columns - 1),
        column_segments=some(rows - 1, columns),
        row_left=some(rows),
        row_right=some(rows),
        column_top=some(columns),
        column_bottom=some(columns),
        law=law or Ohmic(),
        bridges=bridges,
    )


def terminals(network: Network, voltage: np.ndarray, method: str) -> np.ndarray:
    """Currents of all sources for voltages of all sources, left, right, top, bottom, ``(sources, batch)``."""
    rows, columns = network.shape
    left, right, top, bottom = np.split(voltage, np.cumsum([rows, rows, columns]))
    sources = drive(network, left=left, right=right, top=top, bottom=bottom)
    found = solve(network, sources, method=method, tolerance=1e-12).checked()
    return np.concatenate([found.left_current, found.right_current, found.top_current, found.bottom_current])


@pytest.mark.parametrize("bridged", [False, True])
def test_reciprocity_superposition_and_passivity(bridged):
    rng = np.random.default_rng(1)
    bridges = (Bridge(("row", 0, 1), ("row", 4, 2), 20.0), Bridge(("column", 1, 0), ("row", 3, 3), 5.0))
    network = scattered(rng, 5, 4, bridges=bridges if bridged else ())
    ports = 2 * (5 + 4)
    matrix = terminals(network, np.eye(ports), "auto")
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-9, atol=1e-10 * np.abs(matrix).max())
    # Charge: what goes in comes out. A common voltage drives nothing.
    assert np.abs(matrix.sum(axis=0)).max() < 1e-10 * np.abs(matrix).max()
    assert np.all(np.linalg.eigvalsh(0.5 * (matrix + matrix.T)) > -1e-10 * np.abs(matrix).max())
    assert np.all(matrix - np.diag(np.diag(matrix)) <= 1e-12 * np.abs(matrix).max())
    mixed = rng.normal(size=(ports, 3))
    np.testing.assert_allclose(
        terminals(network, mixed, "direct"), matrix @ mixed, rtol=1e-8, atol=1e-9 * np.abs(matrix).max()
    )


@methods
def test_tellegen_between_two_arrays_of_the_same_shape(method):
    # Voltages of one network times currents of another with the same graph sum to nothing, whatever the elements.
    rng = np.random.default_rng(2)
    one, other = scattered(rng, 4, 6), scattered(rng, 4, 6, law=Sinh(0.3))
    sources = [
        drive(n, left=rng.uniform(-1, 1, 4), right=rng.uniform(-1, 1, 4), top=rng.uniform(-1, 1, 6), bottom=0.2)
        for n in (one, other)
    ]
    a, b = (solve(n, s, method=method, tolerance=1e-12).checked() for n, s in zip((one, other), sources, strict=True))
    cell, _ = other.law.current(other.conductance[:, :, None], b.row_voltage - b.column_voltage)
    inside = (cell * (a.row_voltage - a.column_voltage)).sum()
    for voltages, resistance, axis in (
        ("row_voltage", other.row_segments, 1),
        ("column_voltage", other.column_segments, 0),
    ):
        along = np.diff(getattr(b, voltages), axis=axis) / resistance[:, :, None]
        inside += (along * np.diff(getattr(a, voltages), axis=axis)).sum()
    ends = (("left", a.row_voltage[:, 0]), ("right", a.row_voltage[:, -1]),
            ("top", a.column_voltage[0]), ("bottom", a.column_voltage[-1]))  # fmt: skip
    delivered = sum((getattr(b, f"{side}_current") * node).sum() for side, node in ends)
    assert inside == pytest.approx(delivered, rel=1e-9)


@methods
def test_exchanging_rows_and_columns_changes_nothing(method):
    rng = np.random.default_rng(3)
    network = scattered(rng, 5, 7, law=Sinh(0.2))
    mirrored = Network(
        conductance=network.conductance.T.copy(),
        row_segments=network.column_segments.T.copy(),
        column_segments=network.row_segments.T.copy(),
        row_left=network.column_top,
        row_right=network.column_bottom,
        column_top=network.row_left,
        column_bottom=network.row_right,
        law=network.law,
    )
    left, top = rng.uniform(-1, 1, 5), rng.uniform(-1, 1, 7)
    one = solve(network, drive(network, left=left, top=top), method=method, tolerance=1e-12).checked()
    other = solve(mirrored, drive(mirrored, top=left, left=top), method=method, tolerance=1e-12).checked()
    np.testing.assert_allclose(other.top_current, one.left_current, rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(other.right_current, one.bottom_current, rtol=1e-8, atol=1e-14)


@methods
def test_equal_rows_of_a_symmetric_array_carry_equal_currents(method):
    # Turned by half a turn, an array driven and sensed at both ends is itself.
    network = uniform_network(np.full((6, 9), 1e-4), row_segment=5.0, column_segment=8.0, row_right=5.0, column_top=8.0)
    found = solve(network, drive(network, left=0.3, right=0.3), method=method, tolerance=1e-12).checked()
    np.testing.assert_allclose(found.left_current, found.right_current[::-1], rtol=1e-9)
    np.testing.assert_allclose(found.left_current, found.left_current[::-1], rtol=1e-9)
    np.testing.assert_allclose(found.top_current, found.bottom_current, rtol=1e-9)
    np.testing.assert_allclose(found.top_current, found.top_current[::-1], rtol=1e-9)
