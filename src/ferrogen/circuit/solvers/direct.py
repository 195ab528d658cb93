"""The direct sparse solver: one factorisation for a linear network, one a Newton step and input vector otherwise.

The oracle of the fast solvers: no structure of the array is used but the sparsity of its nodal matrix, which is
symmetric and positive definite. The solution is refined until rounding is all that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.kirchhoff import Currents, Voltages, currents, place
from ferrogen.circuit.solvers.solution import Outcome, Solution

Array = NDArray[np.float64]
Factor = Callable[[Array], Array]
Unknowns = Literal["nodes", "lines", "cells"]
"""Voltages of all nodes; one a line and the drops along it; those of the row nodes and the drops across the cells."""

_FLOOR = 1e-15  # relative residual below which refining is of no use
_LARGEST_BLOCK = 2_000_000  # nodes times input vectors that are worked on at once: 16 MB an array
_STALLS = 3  # steps without progress after which a solve has ended
_HALVINGS = 60
_LARGEST_STEP = 1e30  # V; a longer step of a solve comes from a matrix that is singular but for rounding


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
    across, conductance = _branches(network, slope)
    return csc_array(across.T @ diags_array(conductance) @ across)


def _branches(network: Network, slope: Array) -> tuple[csr_array, Array]:
    """Return the incidence matrix of all resistors, ``(resistors, nodes)``, and their conductances [S]."""
    rows, columns = network.shape
    node = np.arange(2 * rows * columns).reshape(2, rows, columns)
    joined = [
        (node[0], node[1], slope),
        (node[0, :, :-1], node[0, :, 1:], 1.0 / network.row_segments),
        (node[1, :-1], node[1, 1:], 1.0 / network.column_segments),
    ]
    for bridge in network.bridges:
        a, b = place(bridge)
        joined.append((node[a].reshape(1), node[b].reshape(1), np.array([1.0 / bridge.resistance])))
    ends = [
        (node[0, :, 0], 1.0 / network.row_left),
        (node[0, :, -1], 1.0 / network.row_right),
        (node[1, 0], 1.0 / network.column_top),
        (node[1, -1], 1.0 / network.column_bottom),
    ]
    first = np.concatenate([*(a.ravel() for a, _, _ in joined), *(a for a, _ in ends)])
    second = np.concatenate([b.ravel() for _, b, _ in joined])
    conductance = np.concatenate([*(g.ravel() for _, _, g in joined), *(g for _, g in ends)])
    number, pairs = np.arange(first.size), second.size
    signs = np.concatenate([np.ones(first.size), -np.ones(pairs)])
    places = (np.concatenate([number, number[:pairs]]), np.concatenate([first, second]))
    incidence = csr_array(coo_array((signs, places), shape=(first.size, node.size)))
    there = conductance > 0.0
    return incidence[there], conductance[there]


def _basis(network: Network, unknowns: Unknowns) -> csc_array:
    """Return node voltages from other unknowns: a square matrix of zeros and ones.

    Where wires conduct far better than cells, what a floating line's cells add to its nodal equations is lost beside
    what its wires do. It is not if a stretch of line without open segments is given by the voltage of its first node
    and the differences of the others from it. Likewise for the two nodes of a cell that conducts far better than wires.
    """
    node = np.arange(2 * network.conductance.size).reshape(2, *network.shape)
    reference = node.copy()
    if unknowns == "cells":
        reference[1] = np.where(network.conductance > 0.0, node[0], node[1])
    if unknowns == "lines":
        for j in range(1, network.shape[1]):
            whole = np.isfinite(network.row_segments[:, j - 1])
            reference[0, :, j] = np.where(whole, reference[0, :, j - 1], node[0, :, j])
        for i in range(1, network.shape[0]):
            whole = np.isfinite(network.column_segments[i - 1])
            reference[1, i] = np.where(whole, reference[1, i - 1], node[1, i])
    others = node[reference != node]
    places = (np.concatenate([node.ravel(), others]), np.concatenate([node.ravel(), reference[reference != node]]))
    return csc_array(coo_array((np.ones(places[0].size), places), shape=(node.size, node.size)))


def factorise(network: Network, slope: Array, unknowns: Unknowns = "nodes") -> Factor | None:
    """Factorise the nodal matrix.

    Args:
        network: wires, ends and bridges.
        slope: conductances of the cells [S], shape ``(rows, columns)``.
        unknowns: what is solved for. Drops cost more fill, and are for conductances that are very far apart.

    Returns:
        a function from currents into the nodes [A] to the voltages they cause [V], both of shape ``(2, rows, columns,
        batch)``; None if the matrix is singular to double precision.
    """
    options = {"SymmetricMode": True}
    across, conductance = _branches(network, slope)
    basis = None if unknowns == "nodes" else _basis(network, unknowns)
    if basis is not None:
        across = csr_array(across @ basis)
        across.eliminate_zeros()  # the common voltage, out of the drops
    matrix = csc_array(across.T @ diags_array(conductance) @ across)
    try:
        factor = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    except RuntimeError:
        return None

    def apply(excess: Array) -> Array:
        flat = excess.reshape(-1, excess.shape[-1])
        solved: Array = factor.solve(flat) if basis is None else basis @ factor.solve(basis.T @ flat)
        return solved.reshape(excess.shape)

    return apply


def solve_direct(
    network: Network, drive: Drive, *, tolerance: float = 1e-10, max_iterations: int = 200, nodes: bool = True
) -> Solution:
    """Solve a network whose nodes all have a path to a source; see :func:`ferrogen.circuit.solvers.solve.solve`."""
    rows, columns = network.shape
    size = max(1, _LARGEST_BLOCK // (2 * rows * columns)) if network.law.linear else 1
    factors: dict[Unknowns, Factor | None] = {}
    ends = []
    for start in range(0, drive.batch, size):
        part = slice(start, start + size)
        block = Drive(*(side[:, part] for side in (drive.left, drive.right, drive.top, drive.bottom)))
        ends.append(_solve_block(network, block, factors, tolerance, max_iterations))
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


def _solve_block(
    network: Network, drive: Drive, factors: dict[Unknowns, Factor | None], tolerance: float, max_iterations: int
) -> _End:
    """Solve some input vectors for node voltages, and if that fails for drops."""
    ends: list[_End] = []
    attempts: tuple[Unknowns, ...] = ("nodes", "lines", "cells")
    for unknowns in attempts:
        if not network.law.linear:
            ends.append(_newton(network, drive, unknowns, tolerance, max_iterations))
        else:
            if unknowns not in factors:
                factors[unknowns] = factorise(network, network.conductance, unknowns)
            ends.append(_refine(network, drive, factors[unknowns], tolerance, max_iterations))
        if ends[-1].residual <= tolerance or ends[-1].iterations >= max_iterations:
            break
    return min(ends, key=lambda end: end.residual)


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
        step = factor(now.excess)
        if not (np.abs(step).max() <= _LARGEST_STEP):
            break
        at = at.plus(step)
        now = currents(network, drive, at)
        residual = now.residual()
        better = residual <= 0.5 * best.residual or np.abs(now.excess).max() <= 0.5 * np.abs(best.flowing.excess).max()
        stalls = 0 if better else stalls + 1
        if residual < best.residual or iteration == 1:
            best = _End(at, now, residual, iteration)
        if residual <= _FLOOR or stalls >= (1 if best.residual <= tolerance else _STALLS):
            break
    return best


def _newton(network: Network, drive: Drive, unknowns: Unknowns, tolerance: float, max_iterations: int) -> _End:
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
        factor = factorise(network, now.slope[:, :, 0], unknowns)
        if factor is None:
            break
        step = factor(now.excess)
        if not (np.abs(step).max() <= _LARGEST_STEP):
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
