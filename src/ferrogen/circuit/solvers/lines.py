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
from ferrogen.circuit.solvers.lines_factors import LineFactors, factor_lines, from_bands
from ferrogen.circuit.solvers.lines_lanes import LANES
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


def _outcome(states: list[int], iterations: int, residual: float, tolerance: float) -> Outcome:
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
    rows, columns = network.shape
    ends = line_ends(network, drive)
    factors = factor_lines(network, network.conductance)
    flat = _flat_factors(factors)
    batch = drive.batch
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
        left, right, top, bottom, row_voltage, column_voltage, "lines", _outcome(states, iterations, worst, tolerance)
    )


def _flat_factors(factors: LineFactors) -> tuple[Array, ...]:
    """Return (cells, row_pivot, row_link, column_pivot, column_link) without padding, flat, row after row."""
    rows, columns = factors.shape
    banded = (factors.cells, factors.row_pivot, factors.row_link)
    return (
        *(from_bands(array, factors.shape).ravel() for array in banded),
        *(np.ascontiguousarray(a[:rows, :columns]).ravel() for a in (factors.column_pivot, factors.column_link)),
    )
