"""The entry point of the wire solvers: which method, and what is refused before it starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.cells import InSeries, Ohmic
from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.connectivity import Isolation, Mask, at_rest, isolated_nodes, joined
from ferrogen.circuit.solvers.direct import solve_direct
from ferrogen.circuit.solvers.lines import solve_lines
from ferrogen.circuit.solvers.newton import solve_newton
from ferrogen.circuit.solvers.solution import Solution
from ferrogen.core.errors import argument_error, is_whole

LEAST_TOLERANCE = 1e-14
"""Smallest relative residual that can be asked for: what rounding leaves of one."""


def solve(
    network: Network,
    drive: Drive,
    *,
    method: Literal["auto", "lines", "direct"] = "auto",
    tolerance: float = 1e-10,
    max_iterations: int = 200,
    nodes: bool = True,
    isolated: Literal["refuse", "ground"] = "refuse",
) -> Solution:
    """Return the operating points of a network for every input vector.

    Args:
        network: cells, wires, ends.
        drive: voltages of the sources.
        method: ``lines`` (iterative, fast, no bridges), ``direct`` (sparse factorisation, the oracle), or ``auto``:
            lines where they apply. :attr:`Solution.method` says which it was.
        tolerance: largest relative residual (:attr:`Outcome.residual`) that counts as solved.
        max_iterations: of the outermost loop.
        nodes: whether to return the nodes' voltages, too.
        isolated: what to do about nodes without any path to a source (:func:`.connectivity.isolated_nodes`): refuse, or
            report them at 0 V. They carry no current, so nothing else depends on it.

    Raises:
        ArgumentError: isolated nodes that are to be refused; a method, tolerance or number of iterations that cannot be
            used; bridges for lines; or a drive of another network.
    """
    if method not in ("auto", "lines", "direct"):
        raise argument_error("method", "be 'auto', 'lines' or 'direct'", repr(method))
    if isolated not in ("refuse", "ground"):
        raise argument_error("isolated", "be 'refuse' or 'ground'", repr(isolated))
    if not (LEAST_TOLERANCE <= tolerance < 1.0):
        raise argument_error("tolerance", f"be a relative residual from {LEAST_TOLERANCE:g} to 1", repr(tolerance))
    if not is_whole(max_iterations, 1):
        raise argument_error("max_iterations", "be a whole number of at least 1", repr(max_iterations))
    if method == "lines" and network.bridges:
        raise argument_error(
            "method", "be 'auto' or 'direct' for a network with bridges", "'lines'", "Bridges are not lines."
        )
    driven = (drive.left.shape[0], drive.top.shape[0])
    if driven != network.shape or not drive.batch:
        raise argument_error(
            "drive", f"have at least one input vector for the lines of a {network.shape[0]} x {network.shape[1]} array",
            f"{drive.batch} vectors for {driven[0]} x {driven[1]}", "Make it with drive(network, ...).",
        )  # fmt: skip
    lost = isolated_nodes(network)
    if isolated == "refuse":
        lost.refuse()
    whole = _linearised(joined(network) if lost.count else network)
    if method == "direct" or network.bridges:
        solver = solve_direct
    else:
        solver = solve_lines if whole.law.linear else solve_newton
    solution = solver(whole, drive, tolerance=tolerance, max_iterations=max_iterations, nodes=nodes)
    if not solution.outcome.converged:
        resting, voltage = at_rest(whole, drive)
        if resting.any():
            moving = _vectors(drive, ~resting)
            solution = solver(whole, moving, tolerance=tolerance, max_iterations=max_iterations, nodes=nodes)
            solution = _with_resting(solution, resting, voltage)
    return _without(solution, network, lost) if lost.count else solution


def _vectors(drive: Drive, which: Mask) -> Drive:
    """Return some of a drive's input vectors; one of zeros, if none."""
    sides = (drive.left, drive.right, drive.top, drive.bottom)
    return Drive(*(side[:, which] if which.any() else np.zeros((side.shape[0], 1)) for side in sides))


def _with_resting(solution: Solution, resting: Mask, voltage: NDArray[np.float64]) -> Solution:
    """Return a solution of the other input vectors together with those at rest."""

    def spread(part: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
        out = rest.copy()
        if not resting.all():
            out[..., ~resting] = part
        return out

    def nothing(part: NDArray[np.float64]) -> NDArray[np.float64]:
        return spread(part, np.zeros((*part.shape[:-1], resting.size)))

    return replace(
        solution,
        left_current=nothing(solution.left_current),
        right_current=nothing(solution.right_current),
        top_current=nothing(solution.top_current),
        bottom_current=nothing(solution.bottom_current),
        row_voltage=None if solution.row_voltage is None else spread(solution.row_voltage, voltage[0]),
        column_voltage=None if solution.column_voltage is None else spread(solution.column_voltage, voltage[1]),
    )


def _linearised(network: Network) -> Network:
    """Return a network of ohmic cells for one whose cells are two resistors in series."""
    if isinstance(network.law, InSeries):
        whole = network.law.ohmic_equivalent(network.conductance)
        if whole is not None:
            return replace(network, conductance=whole, law=Ohmic())
    return network


def _without(solution: Solution, network: Network, lost: Isolation) -> Solution:
    """Return a solution with isolated nodes at 0 V, and no current into ends that float."""
    row, column = lost.nodes[..., None]
    ends = {
        "left": network.row_left, "right": network.row_right,
        "top": network.column_top, "bottom": network.column_bottom,
    }  # fmt: skip
    current = {
        side: np.where(np.isfinite(resistance)[:, None], getattr(solution, f"{side}_current"), 0.0)
        for side, resistance in ends.items()
    }
    return replace(
        solution,
        row_voltage=None if solution.row_voltage is None else np.where(row, 0.0, solution.row_voltage),
        column_voltage=None if solution.column_voltage is None else np.where(column, 0.0, solution.column_voltage),
        left_current=current["left"],
        right_current=current["right"],
        top_current=current["top"],
        bottom_current=current["bottom"],
    )
