"""Where rounding matters: the line solver's steps, with excess currents that are evaluated in doubled precision.

The line solver loses digits where a current is a small difference of large ones: behind a broken line, on a line whose
two sources differ, in a network that carries next to no current. Then its solution is a start, from which each round
evaluates Kirchhoff's law at voltages of doubled precision and solves for a step. With cells that are not ohmic, a round
is a Newton step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.kirchhoff import Currents, Voltages, currents
from ferrogen.circuit.solvers.lines_factors import LineFactors, factor_lines, in_bands, padded
from ferrogen.circuit.solvers.lines_single import iterate_single, row_voltages

Array = NDArray[np.float64]

ROUNDING = 1e-15
"""Relative error of a current that the line solver takes for a difference of others, of the largest of them."""

_REDUCTION = 1e-6  # of the excess by one round's step
_STALLS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """An operating point for one input vector.

    Attributes:
        voltages: of the nodes.
        flowing: the currents.
        residual: relative.
        iterations: of the inner loops of all rounds.
    """

    voltages: Voltages
    flowing: Currents
    residual: float
    iterations: int


def line_step(
    factors: LineFactors, into_rows: Array, into_columns: Array, enough: float, reduction: float, max_iterations: int
) -> tuple[Array, Array, Array, int]:
    """Solve the linear network for currents that flow into its nodes.

    Args:
        factors: of its lines.
        into_rows: currents into the row nodes [A], shape ``(rows, columns)``.
        into_columns: into the column nodes.
        enough: largest current that need not be accounted for [A].
        reduction: the same, relative to those at the columns once the rows are eliminated [1].
        max_iterations: stop after these.

    Returns:
        voltages of the row and of the column nodes [V], the current that is not accounted for at the column nodes [A],
        each of shape ``(rows, columns)``, and the number of iterations.
    """
    rows, columns = shape = factors.shape
    height, width = factors.column_pivot.shape
    into = in_bands(padded(into_rows, shape)).ravel(), padded(into_columns, shape).ravel()
    work = tuple(np.empty(height * width) for _ in range(5))
    deviations = (np.empty(height), np.empty(height), np.empty(width), np.empty(width))
    sides = tuple(np.zeros(lines) for lines in (rows, rows, columns, columns))
    flat = factors.flat()
    iterations, _, _ = iterate_single(
        flat, sides, sides, into, work, deviations, 0.0, enough, reduction, max_iterations
    )
    row_voltages(*flat[:3], width, height, into[0], work[3], work[4])
    row, column, left = (work[i].reshape(height, width)[:rows, :columns] for i in (4, 3, 2))
    return row, column, left, int(iterations)


def refine(network: Network, drive: Drive, start: Array, tolerance: float, max_iterations: int) -> Refined:
    """Return the operating point of one input vector, to rounding if need be.

    Args:
        network: without bridges.
        drive: of one input vector.
        start: voltages of the nodes [V], shape ``(2, rows, columns)``: row nodes, then column nodes.
        tolerance: relative residual that will do.
        max_iterations: in all.
    """
    at = Voltages(start[..., None], np.zeros((*start.shape, 1)))
    now = currents(network, drive, at)
    best = Refined(at, now, now.residual(), 0)
    factors = factor_lines(network, now.slope[:, :, 0])
    iterations, stalls = 0, 0
    while best.residual > tolerance and stalls < _STALLS and iterations < max_iterations:
        if not network.law.linear:
            factors = factor_lines(network, now.slope[:, :, 0])
        enough = 0.1 * tolerance * float(now.scale()[0])
        row, column, _, used = line_step(
            factors, now.excess[0, :, :, 0], now.excess[1, :, :, 0], enough, _REDUCTION, max_iterations - iterations
        )
        iterations += max(used, 1)
        if not (np.isfinite(row).all() and np.isfinite(column).all()):
            break
        at = at.plus(np.stack([row, column])[..., None])
        now = currents(network, drive, at)
        residual = now.residual()
        smaller = np.abs(now.excess).max() <= 0.5 * np.abs(best.flowing.excess).max()
        stalls = 0 if smaller or residual <= 0.5 * best.residual else stalls + 1
        if residual < best.residual or smaller:
            best = Refined(at, now, residual, iterations)
    return Refined(best.voltages, best.flowing, best.residual, iterations)
