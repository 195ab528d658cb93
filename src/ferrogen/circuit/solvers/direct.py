"""The direct sparse solver: one factorisation for a linear network, one a Newton step and input vector otherwise.

The oracle of the fast solvers: no structure of the array is used but the sparsity of its nodal matrix, which is
symmetric and positive definite. The solution is refined until rounding is all that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.kirchhoff import Currents, Voltages, currents, place
from ferrogen.circuit.solvers.solution import Outcome, Solution

Array = NDArray[np.float64]
Factor = Callable[[Array], Array]

_FLOOR = 1e-15  # relative residual below which refining is of no use
_LARGEST_BLOCK = 4_000_000  # nodes times input vectors that are worked on at once: 32 MB an array
_STALLS = 3  # steps without progress after which a solve has ended
_HALVINGS = 60


class _End(NamedTuple):
    """Where a solve of some input vectors has ended."""

    voltages: Voltages
    flowing: Currents
    residual: float
    iterations: int


def nodal_matrix(network: Network, slope: Array) -> csc_array:
    """Return the matrix of the node voltages' currents [S].

    Args:
        network: wires, ends and bridges.
        slope: conductances of the cells [S], shape ``(rows, columns)``.

    Returns:
        symmetric, shape ``(2 rows columns, 2 rows columns)``: row-line nodes, then column-line nodes.
    """
    rows, columns = network.shape
    node = np.arange(2 * rows * columns).reshape(2, rows, columns)
    diagonal = np.zeros(node.shape)
    first, second, between = [], [], []

    def join(a: NDArray[np.int64], b: NDArray[np.int64], conductance: Array) -> None:
        first.append(a.ravel())
        second.append(b.ravel())
        between.append(conductance.ravel())
        np.add.at(diagonal.reshape(-1), a.ravel(), conductance.ravel())
        np.add.at(diagonal.reshape(-1), b.ravel(), conductance.ravel())

    join(node[0], node[1], slope)
    join(node[0, :, :-1], node[0, :, 1:], 1.0 / network.row_segments)
    join(node[1, :-1], node[1, 1:], 1.0 / network.column_segments)
    for bridge in network.bridges:
        a, b = place(bridge)
        join(node[a].reshape(1), node[b].reshape(1), np.array([1.0 / bridge.resistance]))
    diagonal[0, :, 0] += 1.0 / network.row_left
    diagonal[0, :, -1] += 1.0 / network.row_right
    diagonal[1, 0] += 1.0 / network.column_top
    diagonal[1, -1] += 1.0 / network.column_bottom
    g = np.concatenate(between)
    there = g > 0.0
    one, other, g = np.concatenate(first)[there], np.concatenate(second)[there], g[there]
    entries = np.concatenate([-g, -g, diagonal.ravel()])
    places = (np.concatenate([one, other, node.ravel()]), np.concatenate([other, one, node.ravel()]))
    return csc_array(coo_array((entries, places), shape=(diagonal.size, diagonal.size)))


def factorise(network: Network, slope: Array) -> Factor | None:
    """Factorise the nodal matrix.

    Args:
        network: wires, ends and bridges.
        slope: conductances of the cells [S], shape ``(rows, columns)``.

    Returns:
        a function from currents into the nodes [A] to the voltages they cause [V], both of shape ``(2, rows, columns,
        batch)``; None if the matrix is singular to double precision.
    """
    options = {"SymmetricMode": True}
    try:
        factor = splu(
            nodal_matrix(network, slope), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options
        )  # fmt: skip
    except RuntimeError:
        return None

    def apply(excess: Array) -> Array:
        solved: Array = factor.solve(excess.reshape(-1, excess.shape[-1]))
        return solved.reshape(excess.shape)

    return apply


def solve_direct(
    network: Network, drive: Drive, *, tolerance: float = 1e-10, max_iterations: int = 200, nodes: bool = True
) -> Solution:
    """Solve a network whose nodes all have a path to a source; see :func:`ferrogen.circuit.solvers.solve.solve`."""
    rows, columns = network.shape
    size = max(1, _LARGEST_BLOCK // (2 * rows * columns)) if network.law.linear else 1
    factor = factorise(network, network.conductance) if network.law.linear else None
    ends = []
    for start in range(0, drive.batch, size):
        part = slice(start, start + size)
        block = Drive(*(side[:, part] for side in (drive.left, drive.right, drive.top, drive.bottom)))
        ends.append(
            _refine(network, block, factor, tolerance, max_iterations)
            if network.law.linear
            else _newton(network, block, tolerance, max_iterations)
        )
        if not nodes:
            ends[-1] = ends[-1]._replace(voltages=Voltages.zero((0, 0), 0))
    residual = max((end.residual for end in ends), default=0.0)
    voltage = np.concatenate([end.voltages.value() for end in ends], axis=-1) if nodes else None
    return Solution(
        **{
            f"{side}_current": np.concatenate([getattr(end.flowing, side) for end in ends], axis=-1)
            for side in ("left", "right", "top", "bottom")
        },
        row_voltage=None if voltage is None else voltage[0],
        column_voltage=None if voltage is None else voltage[1],
        method="direct",
        outcome=_outcome(residual, max((end.iterations for end in ends), default=0), tolerance, max_iterations),
    )


def _outcome(residual: float, iterations: int, tolerance: float, max_iterations: int) -> Outcome:
    if residual <= tolerance:
        return Outcome(converged=True, iterations=iterations, residual=residual)
    if iterations >= max_iterations:
        remedy = f"Allow more iterations (max_iterations, now {max_iterations}) or a larger tolerance."
    else:
        remedy = (
            "Conductances of the network are too far apart for double precision: replace wires of very low resistance"
            " by ones a few orders below the next in series, cells of very low conductance by none."
        )
    return Outcome(converged=False, iterations=iterations, residual=residual, remedy=remedy)


def _refine(network: Network, drive: Drive, factor: Factor | None, tolerance: float, max_iterations: int) -> _End:
    """Solve a linear network by iterative refinement with doubled precision of the voltages."""
    at = Voltages.zero(network.shape, drive.batch)
    best = _End(at, now := currents(network, drive, at), now.residual(), 0)
    if factor is None:
        return best
    stalls = 0
    for iteration in range(1, max_iterations + 1):
        at = at.plus(factor(now.excess))
        now = currents(network, drive, at)
        residual = now.residual()
        if not np.isfinite(residual):
            break
        better = residual <= 0.5 * best.residual or np.abs(now.excess).max() <= 0.5 * np.abs(best.flowing.excess).max()
        stalls = 0 if better else stalls + 1
        if residual < best.residual or iteration == 1:
            best = _End(at, now, residual, iteration)
        if residual <= _FLOOR or stalls >= (1 if best.residual <= tolerance else _STALLS):
            break
    return best


def _newton(network: Network, drive: Drive, tolerance: float, max_iterations: int) -> _End:
    """Solve a nonlinear network for one input vector by Newton's method with a line search.

    The excess currents are the negative gradient of the network's co-content (Millar 1951), which is strictly convex
    because every element's current rises with its voltage: a step that does not overshoot its minimum along the line by
    more than half of the slope at the start always converges.
    """
    at = Voltages.zero(network.shape, drive.batch)
    best = _End(at, now := currents(network, drive, at), now.residual(), 0)
    stalls = 0
    for iteration in range(1, max_iterations + 1):
        if best.residual <= _FLOOR:
            break
        factor = factorise(network, now.slope[:, :, 0])
        if factor is None:
            break
        step = factor(now.excess)
        if not np.all(np.isfinite(step)):
            break
        at, now = _search(network, drive, at, now, step, fine=now.residual() <= tolerance)
        residual = now.residual()
        stalls = stalls + 1 if best.residual <= tolerance and residual > 0.5 * best.residual else 0
        if residual < best.residual or iteration == 1:
            best = _End(at, now, residual, iteration)
        if stalls:
            break
    return best._replace(iterations=iteration if best.residual > tolerance else best.iterations)


def _search(
    network: Network, drive: Drive, at: Voltages, now: Currents, step: Array, *, fine: bool
) -> tuple[Voltages, Currents]:
    """Return where a Newton step leads; a part of it, if the whole would overshoot."""
    trial = at.plus(step)
    there = currents(network, drive, trial)
    start = float(np.vdot(now.excess, step))
    if fine or start <= 0.0:
        return trial, there
    low, high, length = 0.0, 1.0, 1.0
    for _ in range(_HALVINGS):
        slope = float(np.vdot(there.excess, step))  # falls along the line, below zero beyond the minimum
        if slope < -0.5 * start:
            high = length
        elif slope > 0.5 * start and length < 1.0:
            low = length
        else:
            break
        length = 0.5 * (low + high)
        trial = at.plus(length * step)
        there = currents(network, drive, trial)
    return trial, there
