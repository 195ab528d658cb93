"""Newton's method for networks whose cells are not ohmic, over the line solver.

Each step linearises every cell at some voltage w of its own and solves the linear network that results. Two ways to
choose w, for laws that rise steeply:

* Alternating basis (Ho, Ruehli and Brennan, IEEE Trans. Circuits Syst. 22, 504, 1975, and Nagel, SPICE2, ERL-M520,
  1975): where a step raises a cell's voltage and the cell would carry more than its tangent said, w is where it carries
  what the tangent said. So the currents never overshoot, however far the voltages do.
* Damped: w is the cell's voltage, and a step is cut where the co-content (Millar, Phil. Mag. 42, 1150, 1951), of which
  the excess currents are the gradient, would rise along it. It is convex, so this always converges, if slowly. It is
  what is left if the first way makes no progress.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.lines import Ends, check_lines, line_ends
from ferrogen.circuit.solvers.lines_factors import factor_lines
from ferrogen.circuit.solvers.lines_refine import ROUNDING, line_step, refine
from ferrogen.circuit.solvers.solution import Outcome, Solution

Array = NDArray[np.float64]

_REDUCTION = 1e-4  # of the residual by the linear solve of a step, far from the solution
_INNER_ITERATIONS = 1000
_PATIENCE = 10  # steps without progress after which the way of choosing w changes, or the solve ends
_HALVINGS = 50
_BISECTIONS = 20
_QUADRATIC = 1e-3  # relative residual below which plain Newton steps converge


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """Trial voltages of one input vector; all arrays of shape ``(rows, columns)``.

    Attributes:
        row: deviations of the row nodes from their lines' references [V].
        column: of the column nodes.
        from_row_wires: current that the wires bring to each row node [A].
        from_column_wires: to each column node.
        voltage: across the cells [V].
        current: through the cells, from row to column [A].
        slope: of the cells [S].
    """

    row: Array
    column: Array
    from_row_wires: Array
    from_column_wires: Array
    voltage: Array
    current: Array
    slope: Array

    def excess(self) -> tuple[Array, Array]:
        """Return the current into the row and the column nodes that does not leave them again [A]."""
        return self.from_row_wires - self.current, self.from_column_wires + self.current


class _Problem:
    """One input vector: its network, its ends, and what flows at a trial."""

    def __init__(self, network: Network, ends: Ends, vector: int) -> None:
        part = slice(vector, vector + 1)
        self.network = network
        self.ends = ends.vector(part)
        row, column = self.ends.reference
        self.at_references = row - column.T

    def point(self, row: Array, column: Array, from_row_wires: Array, from_column_wires: Array) -> _Point:
        voltage = self.at_references + row - column
        current, slope = self.network.law.current(self.network.conductance, voltage)
        return _Point(row, column, from_row_wires, from_column_wires, voltage, current, slope)

    def start(self) -> _Point:
        """Return the point at which all lines lie at their references."""
        left, right, top, bottom = (source[:, 0] for source in self.ends.source)
        from_row_wires, from_column_wires = (np.zeros(self.network.shape) for _ in range(2))
        from_row_wires[:, 0] += left
        from_row_wires[:, -1] += right
        from_column_wires[0] += top
        from_column_wires[-1] += bottom
        nothing = np.zeros(self.network.shape)
        return self.point(nothing, nothing, from_row_wires, from_column_wires)

    def end_currents(self, point: _Point) -> list[Array]:
        sides = (point.row[:, 0], point.row[:, -1], point.column[0], point.column[-1])
        return [
            source[:, 0] - conductance * side
            for source, conductance, side in zip(self.ends.source, self.ends.conductance, sides, strict=True)
        ]

    def residual(self, point: _Point) -> tuple[float, float]:
        """Return the largest excess over the largest current of a cell or an end, and the latter [A].

        Cells are taken at what the wires bring them, which is finite where a trial voltage makes a cell's current huge.
        """
        row, column = point.excess()
        excess = max(float(np.abs(row).max()), float(np.abs(column).max()))
        brought = np.minimum(np.abs(point.current), np.abs(point.from_row_wires))
        scale = max(float(brought.max()), *(float(np.abs(side).max()) for side in self.end_currents(point)))
        return (excess / scale if scale > 0.0 else excess), scale

    def rounding(self, point: _Point) -> float:
        """Return a bound of what rounding adds to the residual [1]."""
        _, scale = self.residual(point)
        span = float(self.ends.span[0])
        summand = max(float(point.slope.max()) * span, *(float(np.abs(side).max()) for side in self.ends.source))
        return ROUNDING * summand / scale if scale > 0.0 else (np.inf if summand > 0.0 else 0.0)

    def step(self, point: _Point, tangent: Array, slope: Array, enough: float) -> tuple[Array, Array, Array]:
        """Return the step of the row and the column nodes [V] and the excess that it leaves at the column nodes [A].

        Args:
            point: where from.
            tangent: the linearised cells' currents there [A].
            slope: their slopes [S].
            enough: excess that need not be removed [A].
        """
        row, column, left, _ = line_step(
            factor_lines(self.network, slope),
            point.from_row_wires - tangent,
            point.from_column_wires + tangent,
            enough,
            _REDUCTION,
            _INNER_ITERATIONS,
        )
        return row, column, left


def _tangent_voltage(network: Network, before: Array, current_before: Array, tangent: Array, point: _Point) -> Array:
    """Return where to linearise the cells next: at their voltages, or where they carry what the tangent said.

    The latter is found from below, by the chord and by the tangent of the logarithm, whichever gets further; both stay
    below for a law that is convex and whose logarithm is concave, such as a sinh. For other laws the rest is bisected.
    """
    voltage, current = point.voltage, point.current
    grows = (np.abs(voltage) > np.abs(before)) & (np.abs(current) > np.abs(tangent)) & (current * tangent > 0.0)
    if not grows.any():
        return voltage
    v, i, wanted, w, i_w = (a[grows] for a in (voltage, current, tangent, before, current_before))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        chord = w + (v - w) * ((wanted - i_w) / (i - i_w))
        logarithm = v - i / point.slope[grows] * np.log(i / wanted)
        further = np.where(np.abs(logarithm) > np.abs(chord), logarithm, chord)
    inside = np.isfinite(further) & (further * v >= 0.0) & (np.abs(further) <= np.abs(v))
    low, high = np.where(inside, further, 0.0), v
    cells = network.conductance[grows]
    for _ in range(_BISECTIONS):
        carried, _slope = network.law.current(cells, low)
        if np.all(np.abs(carried) >= 0.5 * np.abs(wanted)):
            break
        middle = 0.5 * (low + high)
        carried, _slope = network.law.current(cells, middle)
        below = np.abs(carried) <= np.abs(wanted)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    out = voltage.copy()
    out[grows] = low
    return out


def _search(problem: _Problem, point: _Point, row: Array, column: Array, left: Array) -> _Point:
    """Return where a step along the tangents at the cells' voltages leads, or a part of it that does not overshoot."""
    full = point.current + point.slope * (row - column)
    wires = full - point.from_row_wires, left - full - point.from_column_wires
    into_row, into_column = point.excess()
    start = float(np.vdot(into_row, row) + np.vdot(into_column, column))
    low, high, length = 0.0, 1.0, 1.0
    trial = point
    for _ in range(_HALVINGS):
        trial = problem.point(
            point.row + length * row, point.column + length * column,
            point.from_row_wires + length * wires[0], point.from_column_wires + length * wires[1],
        )  # fmt: skip
        into_row, into_column = trial.excess()
        slope = float(np.vdot(into_row, row) + np.vdot(into_column, column))
        if slope < -0.5 * start:
            high = length
        elif slope > 0.5 * start and length < 1.0:
            low = length
        else:
            break
        length = 0.5 * (low + high)
    return trial


def _settle(problem: _Problem, tolerance: float, max_iterations: int) -> tuple[_Point, float, int]:
    """Return the operating point, its relative residual and the number of steps."""
    cells = problem.network.conductance
    point = problem.start()
    best, (least, scale) = point, problem.residual(point)
    around = np.zeros_like(point.voltage)
    around_current, slope = problem.network.law.current(cells, around)
    damped, idle, iteration = False, 0, 0
    while least > tolerance and iteration < max_iterations:
        iteration += 1
        if damped:
            around, around_current, slope = point.voltage, point.current, point.slope
        tangent = around_current + slope * (point.voltage - around)
        row, column, left = problem.step(point, tangent, slope, 0.1 * tolerance * scale)
        if not (np.isfinite(row).all() and np.isfinite(column).all()):
            damped, idle, point = True, idle + _PATIENCE, best
        elif damped:
            point = _search(problem, point, row, column, left)
        else:
            tangent = tangent + slope * (row - column)
            point = problem.point(point.row + row, point.column + column, tangent, left - tangent)
        residual, scale = problem.residual(point)
        idle = 0 if residual < 0.9 * least else idle + 1
        if residual < least or iteration == 1:
            best, least = point, residual
        if idle >= _PATIENCE:
            if damped:
                break
            damped, idle, point = True, 0, best
        elif not damped and residual < _QUADRATIC:
            around, around_current, slope = point.voltage, point.current, point.slope
        elif not damped:
            around = _tangent_voltage(problem.network, around, around_current, tangent, point)
            around_current, slope = problem.network.law.current(cells, around)
    return best, least, iteration


def solve_newton(
    network: Network, drive: Drive, *, tolerance: float = 1e-10, max_iterations: int = 200, nodes: bool = True
) -> Solution:
    """Solve a network whose cells follow any law that rises with the voltage, one input vector after the other.

    Args:
        network: without bridges.
        drive: its sources.
        tolerance: of the largest violation of Kirchhoff's law at a node over the largest current of a cell or an end
            [1].
        max_iterations: Newton steps of an input vector.
        nodes: whether to return the voltages of the nodes, too.

    Raises:
        ArgumentError: as :func:`ferrogen.circuit.solvers.lines.check_lines`.
    """
    check_lines(network, drive, tolerance, max_iterations)
    rows, columns = network.shape
    ends = line_ends(network, drive)
    batch = drive.batch
    left, right, top, bottom = (np.empty((lines, batch)) for lines in (rows, rows, columns, columns))
    row_voltage, column_voltage = (np.empty((rows, columns, batch)) if nodes else None for _ in range(2))
    worst, most = 0.0, 0
    for vector in range(batch):
        problem = _Problem(network, ends, vector)
        point, residual, iterations = _settle(problem, tolerance, max_iterations)
        row, column = problem.ends.reference
        voltages, currents = np.stack([point.row + row, point.column + column.T]), problem.end_currents(point)
        if problem.rounding(point) > 0.1 * tolerance:
            part = slice(vector, vector + 1)
            of_one = Drive(drive.left[:, part], drive.right[:, part], drive.top[:, part], drive.bottom[:, part])
            refined = refine(network, of_one, voltages, tolerance, max(1, max_iterations - iterations))
            residual, voltages = refined.residual, refined.voltages.value()[..., 0]
            flowing = refined.flowing
            currents = [side[:, 0] for side in (flowing.left, flowing.right, flowing.top, flowing.bottom)]
        worst, most = max(worst, residual), max(most, iterations)
        for side, current in zip((left, right, top, bottom), currents, strict=True):
            side[:, vector] = current
        if row_voltage is not None and column_voltage is not None:
            row_voltage[:, :, vector], column_voltage[:, :, vector] = voltages
    outcome = _outcome(worst, most, tolerance, max_iterations)
    return Solution(left, right, top, bottom, row_voltage, column_voltage, "lines", outcome)


def _outcome(residual: float, iterations: int, tolerance: float, max_iterations: int) -> Outcome:
    if residual <= tolerance:
        return Outcome(converged=True, iterations=iterations, residual=residual)
    if iterations >= max_iterations:
        remedy = "Allow more iterations (max_iterations), or use method='direct'."
    else:
        remedy = f"Rounding stops it short of the tolerance {tolerance:g}; use method='direct' or a larger tolerance."
    return Outcome(converged=False, iterations=iterations, residual=residual, remedy=remedy)
