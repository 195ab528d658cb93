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
from ferrogen.circuit.solvers.lines_refine import ROUNDING, refine
from ferrogen.circuit.solvers.lines_single import iterate_single, row_voltages
from ferrogen.circuit.solvers.solution import Outcome, Solution
from ferrogen.core.errors import argument_error, check_number, is_whole

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LEAST_RESISTANCE = 1e-30  # Ohm; below, products of conductances could overflow


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The line ends of a network and what drives them.

    Attributes:
        conductance: of the (left, right, top, bottom) ends [S], 0 for floating ones.
        reference: voltages of the (row, column) lines [V], shape ``(lines, batch)``.
        source: currents [A] that the four sides would drive into lines that lie at their references, same shapes.
        span: of the voltages of all sources [V], shape ``(batch,)``; no node is further from its reference.
    """

    conductance: tuple[Array, Array, Array, Array]
    reference: tuple[Array, Array]
    source: tuple[Array, Array, Array, Array]
    span: Array

    def vector(self, part: slice) -> Ends:
        """Return the ends with some of the input vectors."""
        row, column = self.reference
        left, right, top, bottom = self.source
        return Ends(
            self.conductance,
            (row[:, part], column[:, part]),
            (left[:, part], right[:, part], top[:, part], bottom[:, part]),
            self.span[part],
        )


def _reference(first: Array, second: Array, first_voltage: Array, second_voltage: Array) -> tuple[Array, Mask]:
    """Return the voltage of the stronger end of each line (0, if both float) and whether there is one."""
    voltage = np.where((first >= second)[:, None], first_voltage, second_voltage)
    driven = (first > 0.0) | (second > 0.0)
    return np.where(driven[:, None], voltage, 0.0), driven


def _adopt(cells: Array, other: Array, other_known: Mask, own: Array, known: Mask) -> bool:
    """Give references to lines that cross lines with one; returns whether there were any."""
    weight = cells[~known] * other_known
    total = weight.sum(axis=1)
    some = total > 0.0
    if not some.any():
        return False
    lines = np.flatnonzero(~known)[some]
    base = other[np.argmax(other_known)]  # of equal voltages the mean shall be that voltage, without rounding
    own[lines] = base + (weight[some] @ (other - base)) / total[some, None]
    known[lines] = True
    return True


def line_ends(network: Network, drive: Drive) -> Ends:
    """Return the ends of the lines and their references.

    A line without a source takes the mean of the lines with a reference that it crosses, weighted with the cells.
    """
    left, right, top, bottom = (
        1.0 / side for side in (network.row_left, network.row_right, network.column_top, network.column_bottom)
    )
    row, row_known = _reference(left, right, drive.left, drive.right)
    column, column_known = _reference(top, bottom, drive.top, drive.bottom)
    found = not (row_known.all() and column_known.all())
    while found:
        found = _adopt(network.conductance.T, row, row_known, column, column_known)
        found = _adopt(network.conductance, column, column_known, row, row_known) or found
    source = (
        left[:, None] * (drive.left - row),
        right[:, None] * (drive.right - row),
        top[:, None] * (drive.top - column),
        bottom[:, None] * (drive.bottom - column),
    )
    conductance = (left, right, top, bottom)
    applied = np.concatenate(
        [
            voltage[there > 0.0]
            for there, voltage in zip(conductance, (drive.left, drive.right, drive.top, drive.bottom), strict=True)
        ]
    )
    span = np.ptp(applied, axis=0) if applied.size else np.zeros(drive.batch)
    return Ends(conductance, (row, column), source, span)


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
        result = _solve_single(network.conductance, ends, factors, tolerance, max_iterations, nodes=nodes)
    else:
        result = _solve_batch(ends, factors, tolerance, max_iterations, nodes=nodes)
    iterations = result.iterations
    _, rounding = _rounding(network.conductance, ends, result.currents)
    for vector in np.flatnonzero((rounding > 0.1 * tolerance) | (result.state == BROKEN)):
        part = slice(vector, vector + 1)
        row, column = (reference[:, vector] for reference in ends.reference)
        start = np.stack(np.broadcast_arrays(row[:, None], column[None, :]))
        of_one = Drive(drive.left[:, part], drive.right[:, part], drive.top[:, part], drive.bottom[:, part])
        refined = refine(network, of_one, start, tolerance, max_iterations)
        iterations = max(iterations, refined.iterations)
        result.residual[vector] = refined.residual
        result.state[vector] = CONVERGED if refined.residual <= tolerance else BROKEN
        flowing = refined.flowing
        sides = (flowing.left, flowing.right, flowing.top, flowing.bottom)
        for side, current in zip(result.currents, sides, strict=True):
            side[:, vector] = current[:, 0]
        if result.row_voltage is not None and result.column_voltage is not None:
            voltages = refined.voltages.value()[..., 0]
            result.row_voltage[:, :, vector], result.column_voltage[:, :, vector] = voltages
    left, right, top, bottom = result.currents
    outcome = outcome_of(result.state.tolist(), iterations, float(result.residual.max()), tolerance)
    return Solution(left, right, top, bottom, result.row_voltage, result.column_voltage, "lines", outcome)


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


def end_currents(ends: Ends, deviations: tuple[Array, ...]) -> tuple[Array, Array, Array, Array]:
    """Return the currents of the four sides [A], each of shape ``(lines, 1)``, from their nodes' deviations [V]."""
    left, right, top, bottom = (
        source - conductance[:, None] * deviation[: conductance.size, None]
        for source, conductance, deviation in zip(ends.source, ends.conductance, deviations, strict=True)
    )
    return left, right, top, bottom


def _rounding(conductance: Array, ends: Ends, currents: tuple[Array, ...]) -> tuple[Array, Array]:
    """Return the largest current of an end [A], and a bound of what rounding adds over it, by vector."""
    summand = np.maximum(float(conductance.max()) * ends.span, _most(ends.source))
    scale = _most(currents)
    return scale, np.divide(ROUNDING * summand, scale, out=np.where(summand > 0.0, np.inf, 0.0), where=scale > 0.0)


def _most(sides: tuple[Array, ...]) -> Array:
    most: Array = np.max([np.abs(side).max(axis=0) for side in sides], axis=0)
    return most


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    """What the kernels found; shapes as those of :class:`Solution`, of ``state`` and ``residual`` ``(batch,)``."""

    currents: tuple[Array, Array, Array, Array]
    row_voltage: Array | None
    column_voltage: Array | None
    state: NDArray[np.int64]
    residual: Array
    iterations: int


def _solve_single(
    conductance: Array, ends: Ends, factors: LineFactors, tolerance: float, max_iterations: int, *, nodes: bool
) -> _Result:
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
    currents = end_currents(ends, deviations)
    scale = float(_most(currents)[0])
    row_voltage = column_voltage = None
    if nodes:
        row_voltages(*flat[:3], width, height, into[0], work[3], work[4])
        column_voltage = work[3].reshape(height, width)[:rows, :columns, None] + column[None, :, :]
        row_voltage = work[4].reshape(height, width)[:rows, :columns, None] + row[:, None, :]
    relative = np.array([residual / scale if scale > 0.0 else residual])
    return _Result(currents, row_voltage, column_voltage, np.array([state]), relative, iterations)


def _solve_batch(ends: Ends, factors: LineFactors, tolerance: float, max_iterations: int, *, nodes: bool) -> _Result:
    rows, columns = factors.shape
    flat = factors.flat_by_rows()
    batch = ends.reference[0].shape[1]
    left, right, top, bottom = (np.empty((lines, batch)) for lines in (rows, rows, columns, columns))
    row_voltage, column_voltage = (np.empty((rows, columns, batch)) if nodes else None for _ in range(2))
    size = rows * columns * LANES
    work = tuple(np.empty(size) for _ in range(3)) + tuple(np.empty(size if nodes else 0) for _ in range(2))
    currents = tuple(np.empty(lines * LANES) for lines in (rows, rows, columns, columns))
    states, residuals = np.zeros(batch, dtype=np.int64), np.zeros(batch)
    iterations = 0
    for begin in range(0, batch, LANES):
        part = slice(begin, begin + LANES)
        count = min(LANES, batch - begin)
        state, residual = np.zeros(LANES, dtype=np.int64), np.zeros(LANES)
        used = iterate(
            flat, ends.conductance, tuple(_lanes(a, begin) for a in ends.reference),
            tuple(_lanes(a, begin) for a in ends.source), work, currents, tolerance, max_iterations, state, residual,
        )  # fmt: skip
        iterations = max(iterations, int(used))
        states[part], residuals[part] = state[:count], residual[:count]
        for full, lanes in zip((left, right, top, bottom), currents, strict=True):
            full[:, part] = lanes.reshape(-1, LANES)[:, :count]
        if row_voltage is not None and column_voltage is not None:
            column_voltage[:, :, part] = work[3].reshape(rows, columns, LANES)[:, :, :count]
            row_voltage[:, :, part] = work[4].reshape(rows, columns, LANES)[:, :, :count]
    return _Result((left, right, top, bottom), row_voltage, column_voltage, states, residuals, iterations)
