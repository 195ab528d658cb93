"""The fast solver of linear networks: row lines eliminated, conjugate gradients on the column lines.

Every line has a reference voltage, that of its source; unknown are the deviations from it, that is the drops along the
wires. So currents keep their relative accuracy however small the resistance of the wires is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.lines_batch import BROKEN, CONVERGED, iterate
from ferrogen.circuit.solvers.lines_factors import LineFactors, factor_lines, in_bands, padded
from ferrogen.circuit.solvers.lines_lanes import LANES
from ferrogen.circuit.solvers.lines_single import iterate_single, row_voltages
from ferrogen.circuit.solvers.solution import Outcome, Solution
from ferrogen.core.errors import argument_error, check_number, is_whole

Array = NDArray[np.float64]

_LEAST_RESISTANCE = 1e-30  # Ohm; below, products of conductances could overflow


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The line ends of a network and what drives them.

    Attributes:
        conductance: of the (left, right, top, bottom) ends [S], 0 for floating ones.
        reference: voltages of the (row, column) lines [V], shape ``(lines, batch)``.
        source: currents [A] that the four sides would drive into lines that lie at their references, same shapes.
    """

    conductance: tuple[Array, Array, Array, Array]
    reference: tuple[Array, Array]
    source: tuple[Array, Array, Array, Array]

    def vector(self, part: slice) -> Ends:
        """Return the ends with some of the input vectors."""
        row, column = self.reference
        left, right, top, bottom = self.source
        return Ends(
            self.conductance,
            (row[:, part], column[:, part]),
            (left[:, part], right[:, part], top[:, part], bottom[:, part]),
        )


def _reference(
    first: Array, second: Array, first_voltage: Array, second_voltage: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the voltage of the stronger end of each line (0, if both float) and whether there is one."""
    voltage = np.where((first >= second)[:, None], first_voltage, second_voltage)
    driven = (first > 0.0) | (second > 0.0)
    return np.where(driven[:, None], voltage, 0.0), driven


def line_ends(network: Network, drive: Drive) -> Ends:
    """Return the ends of the lines and their references.

    A line without a source takes the mean of the lines that it crosses, weighted with the cells.
    """
    left, right, top, bottom = (
        1.0 / side for side in (network.row_left, network.row_right, network.column_top, network.column_bottom)
    )
    row, row_driven = _reference(left, right, drive.left, drive.right)
    column, column_driven = _reference(top, bottom, drive.top, drive.bottom)
    cells = network.conductance
    for floats, own, weight, other in (
        (~column_driven, column, cells.T, row),
        (~row_driven, row, cells, column),
    ):
        if floats.any():
            total = weight[floats].sum(axis=1, keepdims=True)
            own[floats] = np.divide(weight[floats] @ other, total, out=np.zeros_like(own[floats]), where=total > 0.0)
    source = (
        left[:, None] * (drive.left - row),
        right[:, None] * (drive.right - row),
        top[:, None] * (drive.top - column),
        bottom[:, None] * (drive.bottom - column),
    )
    return Ends((left, right, top, bottom), (row, column), source)


def check_lines(network: Network, drive: Drive, tolerance: float, max_iterations: int) -> None:
    """Refuse what the line solvers cannot take.

    Raises:
        ArgumentError: bridges, resistances below 1e-30 Ohm, a drive of another network, an unusable tolerance or
            number of iterations.
    """
    if network.bridges:
        raise argument_error(
            "network", "have no bridges for the line solver", f"one with {len(network.bridges)}",
            "Solve it with method='direct'.",
        )  # fmt: skip
    for name in ("row_segments", "column_segments", "row_left", "row_right", "column_top", "column_bottom"):
        least = float(np.min(getattr(network, name), initial=math.inf))
        if least < _LEAST_RESISTANCE:
            raise argument_error(name, f"hold resistances of {_LEAST_RESISTANCE:g} Ohm or more", f"{least:g} Ohm")
    if (drive.left.shape[0], drive.top.shape[0]) != network.shape:
        raise argument_error(
            "drive", f"have sources for an array of {network.shape}", f"for {(drive.left.shape[0], drive.top.shape[0])}"
        )
    check_number("tolerance", tolerance, "1")
    if not is_whole(max_iterations, 1):
        raise argument_error("max_iterations", "be a whole number from 1 on", repr(max_iterations))


def _lanes(array: Array, begin: int) -> Array:
    """Return eight columns from ``begin`` on, flat, those beyond the last one zero."""
    out = np.zeros((array.shape[0], LANES))
    part = array[:, begin : begin + LANES]
    out[:, : part.shape[1]] = part
    return out.ravel()


def outcome_of(states: list[int], iterations: int, residual: float, tolerance: float) -> Outcome:
    """Return how a solve ended, from the states of its input vectors."""
    if all(state == CONVERGED for state in states):
        return Outcome(converged=True, iterations=iterations, residual=residual)
    if BROKEN in states:
        remedy = f"Rounding stops it short of the tolerance {tolerance:g}; use method='direct' or a larger tolerance."
    else:
        remedy = "Allow more iterations (max_iterations), or use method='direct'."
    return Outcome(converged=False, iterations=iterations, residual=residual, remedy=remedy)


def solve_lines(
    network: Network, drive: Drive, *, tolerance: float = 1e-10, max_iterations: int = 200, nodes: bool = True
) -> Solution:
    """Solve a network of ohmic cells by conjugate gradients on its lines.

    Input vectors are solved eight at a time, so that memory does not grow with their number (apart from what is
    returned). Each takes only its own iterations: the result is the same to the last bit however a batch is divided.

    Args:
        network: without bridges.
        drive: its sources.
        tolerance: of the largest violation of Kirchhoff's law at a node over the largest current of an end [1].
        max_iterations: give up after these.
        nodes: whether to return the voltages of the nodes, too.

    Raises:
        ArgumentError: as :func:`check_lines`; cells that are not ohmic.
    """
    check_lines(network, drive, tolerance, max_iterations)
    if not network.law.linear:
        raise argument_error("network", "have ohmic cells for solve_lines", repr(network.law), "Use solve_newton.")
    ends = line_ends(network, drive)
    factors = factor_lines(network, network.conductance)
    if drive.batch == 1:
        return _solve_single(network.conductance, ends, factors, tolerance, max_iterations, nodes=nodes)
    return _solve_batch(ends, factors, tolerance, max_iterations, nodes=nodes)


def currents_into(ends: Ends, factors: LineFactors, cell: Array) -> tuple[Array, Array]:
    """Return the currents into the (row, column) nodes at their references [A], flat and padded, the first in bands.

    Args:
        ends: of one input vector.
        factors: for the padding.
        cell: currents through the cells, from row to column [A], shape ``(rows, columns)``.
    """
    rows, columns = factors.shape
    left, right, top, bottom = (source[:, 0] for source in ends.source)
    into_columns = padded(cell, factors.shape)
    into_rows = -into_columns
    into_rows[:rows, 0] += left
    into_rows[:rows, columns - 1] += right
    into_columns[0, :columns] += top
    into_columns[rows - 1, :columns] += bottom
    return in_bands(into_rows).ravel(), into_columns.ravel()


def end_currents(ends: Ends, deviations: tuple[Array, ...]) -> list[Array]:
    """Return the currents of the four sides [A], each of shape ``(lines, 1)``, from their nodes' deviations [V]."""
    return [
        source - conductance[:, None] * deviation[: conductance.size, None]
        for source, conductance, deviation in zip(ends.source, ends.conductance, deviations, strict=True)
    ]


def _solve_single(
    conductance: Array, ends: Ends, factors: LineFactors, tolerance: float, max_iterations: int, *, nodes: bool
) -> Solution:
    rows, columns = factors.shape
    row, column = ends.reference
    into = currents_into(ends, factors, conductance * (row - column.T))
    height, width = factors.column_pivot.shape
    work = tuple(np.empty(height * width if needed else 0) for needed in (True, True, True, nodes, nodes))
    deviations = (np.empty(height), np.empty(height), np.empty(width), np.empty(width))
    sources = tuple(source[:, 0] for source in ends.source)
    flat = factors.flat()
    iterations, state, residual = iterate_single(
        flat, ends.conductance, sources, into, work, deviations, tolerance, 0.0, 0.0, max_iterations
    )
    left, right, top, bottom = end_currents(ends, deviations)
    scale = max(float(np.abs(side).max()) for side in (left, right, top, bottom))
    row_voltage = column_voltage = None
    if nodes:
        row_voltages(*flat[:3], width, height, into[0], work[3], work[4])
        column_voltage = work[3].reshape(height, width)[:rows, :columns, None] + column[None, :, :]
        row_voltage = work[4].reshape(height, width)[:rows, :columns, None] + row[:, None, :]
    outcome = outcome_of([state], iterations, residual / scale if scale > 0.0 else residual, tolerance)
    return Solution(left, right, top, bottom, row_voltage, column_voltage, "lines", outcome)


def _solve_batch(ends: Ends, factors: LineFactors, tolerance: float, max_iterations: int, *, nodes: bool) -> Solution:
    rows, columns = factors.shape
    flat = factors.flat_by_rows()
    batch = ends.reference[0].shape[1]
    out = [np.empty((lines, batch)) for lines in (rows, rows, columns, columns)]
    row_voltage, column_voltage = (np.empty((rows, columns, batch)) if nodes else None for _ in range(2))
    size = rows * columns * LANES
    work = tuple(np.empty(size) for _ in range(3)) + tuple(np.empty(size if nodes else 0) for _ in range(2))
    currents = tuple(np.empty(lines * LANES) for lines in (rows, rows, columns, columns))
    states: list[int] = []
    iterations, worst = 0, 0.0
    for begin in range(0, batch, LANES):
        count = min(LANES, batch - begin)
        state, residual = np.zeros(LANES, dtype=np.int64), np.zeros(LANES)
        used = iterate(
            flat, ends.conductance, tuple(_lanes(a, begin) for a in ends.reference),
            tuple(_lanes(a, begin) for a in ends.source), work, currents, tolerance, max_iterations, state, residual,
        )  # fmt: skip
        iterations = max(iterations, int(used))
        states += state[:count].tolist()
        worst = max(worst, float(residual[:count].max()))
        for full, part in zip(out, currents, strict=True):
            full[:, begin : begin + count] = part.reshape(-1, LANES)[:, :count]
        if row_voltage is not None and column_voltage is not None:
            column_voltage[:, :, begin : begin + count] = work[3].reshape(rows, columns, LANES)[:, :, :count]
            row_voltage[:, :, begin : begin + count] = work[4].reshape(rows, columns, LANES)[:, :, :count]
    left, right, top, bottom = out
    return Solution(
        left, right, top, bottom, row_voltage, column_voltage, "lines", outcome_of(states, iterations, worst, tolerance)
    )
